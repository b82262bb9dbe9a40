"""Requests of signed-in people, and look-ups of the objects that they name."""

from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails

from accounts.models import User
from chatbot.core.cursors import Cursor
from conversations.models import Conversation, Message, Role
from conversations.replies.dispatch import Audience


class ChatRequest(HttpRequest):
    """A request of a signed-in person."""

    htmx: HtmxDetails
    user: User


def audience(request: ChatRequest) -> Audience:
    """Who will watch the reply that is asked for: htmx opens its stream, a browser without script does not."""
    return Audience.PAGE if request.htmx else Audience.NOBODY


def find_conversation(request: ChatRequest, pk: UUID) -> Conversation:
    """The person's own conversation. Raises `Http404` for any other. Causes a query."""
    return get_object_or_404(Conversation.objects.owned_by(request.user), pk=pk)


def find_message(request: ChatRequest, pk: UUID, *roles: Role) -> Message:
    """The person's own message in one of these roles, with its alternatives. Raises `Http404` for any other."""
    owned = Message.objects.owned_by(request.user).filter(role__in=roles).with_alternatives()
    return get_object_or_404(owned.select_related("conversation", "generation", "feedback", "user"), pk=pk)


def find_reply(request: ChatRequest, pk: UUID) -> Message:
    """The person's own assistant message. Raises `Http404` for any other. Causes a query."""
    return find_message(request, pk, Role.ASSISTANT)


def message_key(request: ChatRequest, name: str) -> UUID | None:
    """The message's key in the address, or None. Raises `BadRequest` when it is malformed."""
    try:
        return UUID(text) if (text := request.GET.get(name)) else None
    except ValueError as error:
        raise BadRequest("This is not the key of a message.") from error


def next_url(request: ChatRequest) -> str:
    """Address of the form's page, as the form names it, if that is on this site; else a new chat."""
    named = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(named, {request.get_host()}, require_https=request.is_secure())
    return named if safe else reverse("conversation-new")


def cursor(request: ChatRequest, name: str) -> Cursor | None:
    """The cursor in the address, or None. Raises `BadRequest` when it is malformed."""
    try:
        return Cursor.parse(request.GET.get(name, ""))
    except ValueError as error:
        raise BadRequest("That is not a cursor.") from error
