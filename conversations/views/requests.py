"""Requests of signed-in people, and look-ups of the objects that they name."""

from uuid import UUID

from django.core.exceptions import BadRequest
from django.shortcuts import get_object_or_404

from accounts.requests import PersonRequest
from conversations.models import Conversation, Message, Role
from conversations.replies.dispatch import Audience


def audience(request: PersonRequest) -> Audience:
    """Who will watch the reply that is asked for: htmx opens its stream, a browser without script does not."""
    return Audience.PAGE if request.htmx else Audience.NOBODY


def find_conversation(request: PersonRequest, pk: UUID) -> Conversation:
    """The person's own conversation. Raises `Http404` for any other. Causes a query."""
    return get_object_or_404(Conversation.objects.owned_by(request.user), pk=pk)


def find_message(request: PersonRequest, pk: UUID, *roles: Role) -> Message:
    """The person's own message in one of these roles, with its alternatives. Raises `Http404` for any other."""
    owned = Message.objects.owned_by(request.user).filter(role__in=roles).with_alternatives()
    return get_object_or_404(owned.select_related("conversation", "generation", "feedback", "user"), pk=pk)


def find_reply(request: PersonRequest, pk: UUID) -> Message:
    """The person's own assistant message. Raises `Http404` for any other. Causes a query."""
    return find_message(request, pk, Role.ASSISTANT)


def message_key(request: PersonRequest, name: str) -> UUID | None:
    """The message's key in the address, or None. Raises `BadRequest` when it is malformed."""
    try:
        return UUID(text) if (text := request.GET.get(name)) else None
    except ValueError as error:
        raise BadRequest("This is not the key of a message.") from error
