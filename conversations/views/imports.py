"""Views that import conversations from a file."""

import io
import os
from collections import Counter
from collections.abc import AsyncGenerator
from typing import IO

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import InMemoryUploadedFile, TemporaryUploadedFile
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import View

from accounts import addresses
from accounts.models import User
from accounts.requests import PersonRequest
from conversations.transfer import responses
from conversations.transfer.progress import Progress

PLACE = "<!-- results -->"
"""Marks the place in the template at which results are inserted until the import has ended."""

MEGABYTE = 1_000_000


class ImportForm(forms.Form):
    """Form with the file to import."""

    file = forms.FileField(
        error_messages={"required": "Choose a file first.", "empty": "This file is empty. Choose another one."}
    )


class ConversationsImportView(View):
    """Imports a file that an export has written."""

    def get(self, request: PersonRequest) -> HttpResponse:
        """Show the page that asks for the file."""
        return page_of_form(request)

    def post(self, request: PersonRequest) -> HttpResponseBase:
        """Import the file, and stream each conversation's result while the import runs."""
        form = ImportForm(request.POST, request.FILES)
        if addresses.has_to_verify(request.user):
            return page_of_form(request, status=403)
        if not form.is_valid():
            return page_of_form(request, problem=str(form.errors["file"][0]), status=422)
        page = render_to_string("transfer/imported.html", {}, request)
        return responses.page(told(page, request.user, kept(form.cleaned_data["file"])))


def page_of_form(request: PersonRequest, *, problem: str = "", status: int = 200) -> HttpResponse:
    """The page that asks for the file, or for the address to be verified first."""
    context = {
        "problem": problem,
        "megabytes": settings.CHAT_IMPORT_MAX_BYTES // MEGABYTE,
        "has_to_verify": addresses.has_to_verify(request.user),
    }
    return render(request, "transfer/import.html", context, status=status)


async def told(page: str, user: User, file: IO[bytes]) -> AsyncGenerator[str]:
    """The page's head, each result as it comes, and the foot. The import continues when nobody reads them."""
    head, _, foot = page.partition(PLACE)
    progress = Progress(user, file)
    counts: Counter[str] = Counter()
    yield head
    async for results in progress.results():
        counts.update(result.outcome.value for result in results if result.number)
        yield render_to_string("transfer/_results.html", {"results": results}) if results else "\n"
    yield render_to_string("transfer/_summary.html", {"counts": counts, "total": counts.total()})
    yield foot


def kept(file: TemporaryUploadedFile | InMemoryUploadedFile) -> IO[bytes]:
    """The uploaded file, readable after the request has ended."""
    if isinstance(file, TemporaryUploadedFile):
        # A separate handle, which keeps the file on the disk until it is closed, whatever happens to the request's.
        copy = os.fdopen(os.dup(file.fileno()), "rb")
        copy.seek(0)
        return copy
    return io.BytesIO(file.read())
