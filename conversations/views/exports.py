"""Views that export conversations as files."""

from functools import partial
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.views import View

from accounts.requests import PersonRequest
from accounts.sessions import is_signed_in
from conversations.models import Conversation, ConversationQuerySet
from conversations.transfer import responses
from conversations.transfer.writers import ArchiveWriter, JsonWriter, MarkdownWriter, collection_name, dated_name
from conversations.views.requests import find_conversation

FORMATS = ("markdown", "json")


class ConversationExportView(View):
    """One conversation as a file."""

    def get(self, request: PersonRequest, pk: UUID) -> HttpResponseBase:
        """Send the file in the format that the address names; without one, ask for the format."""
        conversation = find_conversation(request, pk)
        chosen = chosen_format(request.GET)
        if not chosen:
            return render(request, "transfer/export.html", {"conversation": conversation})
        writer = JsonWriter() if chosen == "json" else MarkdownWriter(timezone.get_current_timezone())
        only = exportable(request).filter(pk=pk)
        return responses.download(
            only, writer, name=dated_name(conversation), is_welcome=partial(is_signed_in, request)
        )


class ConversationsExportView(View):
    """All of a person's conversations as a file, or those that `ids` names."""

    def get(self, request: PersonRequest) -> HttpResponseBase:
        """Send the file in the format that the address names; without one, ask for the format."""
        return export(request, request.GET)

    def post(self, request: PersonRequest) -> HttpResponseBase:
        """Send the file for a form, which may hold more keys than an address."""
        return export(request, request.POST)


def export(request: PersonRequest, form: QueryDict) -> HttpResponseBase:
    """The file that the form requests, or the page that asks for its format."""
    keys = chosen_keys(form)
    conversations = exportable(request)
    if keys:
        conversations = conversations.filter(pk__in=keys)
        if conversations.count() < len(keys):
            raise Http404
    chosen = chosen_format(form)
    if not chosen:
        return render(request, "transfer/export.html", {"count": conversations.count(), "ids": sorted(keys)})
    writer = JsonWriter() if chosen == "json" else ArchiveWriter(timezone.get_current_timezone())
    return responses.download(
        conversations, writer, name=collection_name(timezone.now()), is_welcome=partial(is_signed_in, request)
    )


def exportable(request: PersonRequest) -> ConversationQuerySet:
    """The person's conversations that an export may contain."""
    return Conversation.objects.owned_by(request.user)


def chosen_format(form: QueryDict) -> str:
    """`markdown`, `json`, or empty when the form names none. Raises `BadRequest` for anything else."""
    chosen = form.get("format", "")
    if chosen and chosen not in FORMATS:
        raise BadRequest("This format does not exist.")
    return chosen


def chosen_keys(form: QueryDict) -> set[UUID]:
    """The keys in `ids`; an empty set means all. Raises `BadRequest` for an invalid key."""
    try:
        return {UUID(text) for text in form.getlist("ids")}
    except ValueError as error:
        raise BadRequest("This is not the key of a conversation.") from error
