"""Actions of staff on conversations, each recorded in the audit log of every conversation concerned."""

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, DELETION
from django.contrib.admin.options import ActionLocation
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts.sessions import is_signed_in
from conversations.actions import organizing, turns
from conversations.admin.facts import contents_of
from conversations.admin.readings import record
from conversations.models import Conversation, Generation
from conversations.transfer import responses
from conversations.transfer.writers import (
    ArchiveWriter,
    JsonWriter,
    MarkdownWriter,
    Writer,
    collection_name,
    dated_name,
)

EVERYWHERE = [ActionLocation.CHANGE_LIST, ActionLocation.CHANGE_FORM]


@admin.action(description="Export as Markdown", permissions=["read"], location=EVERYWHERE)
def export_markdown(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Conversation]
) -> HttpResponseBase | None:
    """Export one conversation as a Markdown text, several as an archive of texts."""
    keys = _keys(queryset)
    zone = timezone.get_current_timezone()
    return _export(request, keys, MarkdownWriter(zone) if len(keys) == 1 else ArchiveWriter(zone))


@admin.action(description="Export as JSON", permissions=["read"], location=EVERYWHERE)
def export_json(model_admin: Any, request: HttpRequest, queryset: QuerySet[Conversation]) -> HttpResponseBase | None:
    """Export the conversations as a JSON document that can be imported again."""
    return _export(request, _keys(queryset), JsonWriter())


@admin.action(description="Stop the reply", permissions=["stop"], location=EVERYWHERE)
def stop(model_admin: Any, request: HttpRequest, queryset: QuerySet[Conversation]) -> None:
    """Stop the open replies, in whichever process, as the person's own Stop does."""
    running = Generation.objects.open().filter(conversation__in=_keys(queryset)).select_related("message")
    found = [generation.message for generation in running]
    record(request, [message.conversation_id for message in found], "Stopped a reply.", flag=CHANGE)
    for message in found:
        turns.stop(message)
    told = f"{_many(len(found), 'reply', 'replies')} will stop." if found else "No reply was in progress."
    model_admin.message_user(request, told, messages.SUCCESS if found else messages.WARNING)


@admin.action(description="Move to the trash", permissions=["delete"], location=EVERYWHERE)
def trash(model_admin: Any, request: HttpRequest, queryset: QuerySet[Conversation]) -> None:
    """Move the conversations to their owners' trash, from which the owners can restore them for its days."""
    with transaction.atomic():
        keys = list(Conversation.objects.filter(pk__in=_keys(queryset), trashed_at=None).values_list("pk", flat=True))
        record(request, keys, "Moved to the trash.", flag=CHANGE)
        change = organizing.trash(Conversation.objects.filter(pk__in=keys))
    told = f"{_many(change.count, 'conversation')} moved to the trash." if change.count else "All were already there."
    model_admin.message_user(request, told, messages.SUCCESS if change.count else messages.WARNING)


@admin.action(description="Erase permanently…", permissions=["delete"], location=EVERYWHERE)
def erase(model_admin: Any, request: HttpRequest, queryset: QuerySet[Conversation]) -> HttpResponseBase:
    """Remove the conversations and everything that refers to them permanently, after a confirmation."""
    keys = _keys(queryset)
    if request.POST.get("post") != "yes":
        return confirmation(model_admin, request, keys)
    conversations = Conversation.objects.filter(pk__in=keys)
    with transaction.atomic():
        contents = contents_of(keys)
        record(request, [one.key for one in contents], "Erasing permanently.", flag=DELETION)
        organizing.trash(conversations)
    # Outside the transaction above, which holds the generations that it stopped: the end of a reply waits for these
    # while it holds the message.
    change = organizing.delete(conversations)
    said = _many(sum(one.messages for one in contents), "message")
    told = f"{_many(change.count, 'conversation')} with {said} erased permanently."
    model_admin.message_user(request, told, messages.SUCCESS)
    return redirect("admin:conversations_conversation_changelist")


def confirmation(model_admin: Any, request: HttpRequest, keys: list[UUID]) -> HttpResponseBase:
    """The page that lists exactly what is removed and asks for confirmation."""
    contents = contents_of(keys)
    counted = ("messages", "characters", "feedback", "running", "calls")
    totals = {name: sum(getattr(one, name) for one in contents) for name in counted}
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Erase permanently?",
        "opts": model_admin.opts,
        "contents": contents,
        "totals": totals,
        # The form is sent again, confirmed, to the address that it came from.
        "fields": [
            (name, value)
            for name, values in request.POST.lists()
            if name not in ("csrfmiddlewaretoken", "post", ACTION_CHECKBOX_NAME)
            for value in values
        ],
        "selected_name": ACTION_CHECKBOX_NAME,
    }
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, "admin/conversations/conversation/erase.html", context)


def _export(request: HttpRequest, keys: list[UUID], writer: Writer) -> HttpResponseBase | None:
    conversations = Conversation.objects.filter(pk__in=keys)
    found = {conversation.pk: conversation for conversation in conversations}
    if not found:
        return None
    # Record before the first byte is sent: the file is written while it is sent.
    record(request, found, f"Exported as {'JSON' if writer.suffix == 'json' else 'Markdown'}.")
    name = dated_name(*found.values()) if len(found) == 1 else collection_name(timezone.now())
    return responses.download(conversations, writer, name=name, is_welcome=partial(is_signed_in, request))


def _keys(queryset: QuerySet[Conversation]) -> list[UUID]:
    return list(queryset.values_list("pk", flat=True))


def _many(count: int, one: str, more: str = "") -> str:
    return f"1 {one}" if count == 1 else f"{count:,} {more or one + 's'}"
