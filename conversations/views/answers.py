"""Responses that several views share."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from uuid_utils.compat import uuid7

from accounts.requests import PersonRequest
from chatbot.web import shell
from conversations.models import Configuration, Conversation, Message, Preset
from conversations.pages.chat import chat_context
from conversations.pages.configurations import new_chat
from conversations.replies import dispatch
from conversations.views.presets import preset_in, typed_configuration


def chat_page(
    request: PersonRequest,
    conversation: Conversation | None = None,
    *,
    before: UUID | None = None,
    at: UUID | None = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    """The whole chat page. Starts an open reply without a worker: the browser may have no script to ask for it."""
    begun_with = {} if conversation else new_chat(request.user, *chosen(request))
    try:
        context = chat_context(request.user, conversation, before=before, at=at)
    except Message.DoesNotExist as error:
        raise Http404 from error
    if (reply := context.get("open_message")) and reply.generation.lacks_worker():
        dispatch.start(reply.pk)
    return shell.page(request, "conversations/chat.html", context | begun_with | more, status)


def chosen(request: PersonRequest) -> tuple[Configuration, Preset | None]:
    """The configuration for a new chat: as typed, or from the preset in the address, or empty; and that preset."""
    preset = preset_in(request)
    if request.method == "POST":
        return typed_configuration(request), preset
    return preset.configuration if preset else Configuration(), preset


def refuse(
    request: PersonRequest, notice: str, status: int, conversation: Conversation | None, *, turn_id: str = "turn"
) -> HttpResponse:
    """Respond with a sentence and the typed text still in the box; `turn_id` is the field with the turn's key."""
    if request.htmx:
        # A new key for the turn: the next message is no repetition of the refused one.
        context = {"notice": notice, "next_turn": uuid7(), "turn_id": turn_id}
        return render(request, "_notice.html", context, status=status)
    return chat_page(request, conversation, status=status, notice=notice, typed=request.POST.get("message", ""))
