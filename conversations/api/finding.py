"""Look-ups by key of what belongs to the caller."""

from uuid import UUID

from django.http import Http404

from accounts.bearer import ApiRequest
from conversations.models import Conversation, Message, Role, ToolCall


def find_conversation(request: ApiRequest, key: UUID) -> Conversation:
    """The caller's own conversation. Raises `Http404` for any other. Causes a query."""
    found = Conversation.objects.owned_by(request.auth.user).filter(pk=key).first()
    if found is None:
        raise Http404
    return found


def find_reply(request: ApiRequest, key: UUID) -> Message:
    """The caller's own assistant message, with its conversation and generation. Raises `Http404` for any other."""
    owned = Message.objects.owned_by(request.auth.user).filter(role=Role.ASSISTANT, pk=key)
    found = owned.select_related("conversation", "generation", "user").first()
    if found is None:
        raise Http404
    return found


def find_tool_call(request: ApiRequest, key: UUID) -> ToolCall:
    """The caller's own tool call, with its message. Raises `Http404` for any other. Causes a query."""
    owned = ToolCall.objects.owned_by(request.auth.user).filter(pk=key)
    found: ToolCall | None = owned.select_related("message").first()
    if found is None:
        raise Http404
    return found
