"""Operations of the API on conversations and their messages."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from django.db.models.expressions import RawSQL
from django.http import Http404, HttpResponse
from ninja import Query, Router

from accounts.bearer import ApiRequest
from chatbot.core.cursors import Cursor
from chatbot.web.api import errors, json_response
from chatbot.web.problems import invalid
from conversations.actions import organizing
from conversations.api.finding import find_conversation
from conversations.api.schemas import ConversationIn, ConversationOut, ConversationsOut, MessageOut
from conversations.models import Conversation, Message, Role, paths
from conversations.models.steps import steps_of

PAGE, PAGE_MAX = 30, 100
HISTORY_MAX = 1_000
CURSOR = r"^([0-9]{1,18}-[0-9a-f]{32})?$"
WHOLE = 1_000_000
"""Most messages of a history that is requested without a limit."""

BYTES_MAX = 4_000_000
"""Bytes of text on one page; a page has at least one message, whatever its size."""

SIZE = """octet_length(conversations_message.content) + coalesce(octet_length(conversations_generation.draft), 0)
    + coalesce(octet_length(conversations_message.tool_calls::text), 0)"""

router = Router(tags=["conversations"])


@router.get(
    "/{user_id}/conversations",
    response={200: ConversationsOut} | errors(401, 422, 429, 503),
    summary="List conversations",
)
def list_conversations(
    request: ApiRequest,
    user_id: str,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE,
    cursor: Annotated[str, Query(pattern=CURSOR)] = "",
    archived: Annotated[bool, Query(description="Lists archived conversations instead of the others.")] = False,  # noqa: FBT002
) -> HttpResponse:
    """List conversations, the latest first, page by page."""
    by = "archived_at" if archived else "updated_at"
    owned = Conversation.objects.owned_by(request.auth.user)
    kept = owned.archived() if archived else owned.listed()
    found = list(kept.order_by(f"-{by}", "-id").after(parsed(cursor), by=by)[: limit + 1])
    shown = found[:limit]
    last = shown[-1] if len(found) > limit else None
    return json_response(
        {
            "items": [conversation_fields(conversation) for conversation in shown],
            "next_cursor": str(Cursor(getattr(last, by), last.pk)) if last else None,
        }
    )


@router.get(
    "/{user_id}/conversations/{conversation_id}",
    response={200: ConversationOut} | errors(401, 404, 429, 503),
    summary="Describe a conversation",
)
def get_conversation(request: ApiRequest, user_id: str, conversation_id: UUID) -> HttpResponse:
    """Return one conversation of the person."""
    return json_response(conversation_fields(find_conversation(request, conversation_id)))


@router.patch(
    "/{user_id}/conversations/{conversation_id}",
    response={200: ConversationOut} | errors(401, 403, 404, 409, 422, 429, 503),
    summary="Change a conversation",
)
def change_conversation(request: ApiRequest, user_id: str, conversation_id: UUID, body: ConversationIn) -> HttpResponse:
    """Rename, pin or archive a conversation, or undo that."""
    conversation = find_conversation(request, conversation_id)
    only = Conversation.objects.owned_by(request.auth.user).filter(pk=conversation.pk)
    if body.title is not None:
        organizing.rename(conversation, title=body.title)
    if body.pinned is not None:
        (organizing.pin if body.pinned else organizing.unpin)(only)
    if body.archived is not None:
        (organizing.archive if body.archived else organizing.unarchive)(only)
    return json_response(conversation_fields(find_conversation(request, conversation_id)))


@router.delete(
    "/{user_id}/conversations/{conversation_id}",
    response={204: None} | errors(401, 403, 404, 429, 503),
    summary="Delete a conversation",
)
def delete_conversation(request: ApiRequest, user_id: str, conversation_id: UUID) -> HttpResponse:
    """Move a conversation to the trash, from which it can be restored on the page for some days."""
    conversation = find_conversation(request, conversation_id)
    organizing.trash(Conversation.objects.owned_by(request.auth.user).filter(pk=conversation.pk))
    return HttpResponse(status=204)


@router.get(
    "/{user_id}/conversations/{conversation_id}/messages",
    response={200: list[MessageOut]} | errors(401, 404, 422, 429, 503),
    summary="Read a conversation",
)
def list_messages(
    request: ApiRequest,
    user_id: str,
    conversation_id: UUID,
    limit: Annotated[
        int | None, Query(ge=1, le=HISTORY_MAX, description="Number of newest messages; without it, as many as fit.")
    ] = None,
    before: Annotated[UUID | None, Query(description="Only messages before this one.")] = None,
) -> HttpResponse:
    """Return the last messages of the chosen branch, oldest first: up to `limit`, and as many as fit into 4 MB.

    A reply's tool calls are in `tool_calls`; those of an open reply as they stand. A `Link` header with `rel="next"`
    leads to the page of older messages, if there are any.
    """
    conversation = find_conversation(request, conversation_id)
    most = (limit or WHOLE) + 1
    if before is None:
        keys = paths.upwards(conversation, paths.current_end(conversation), most)
    elif conversation.messages.filter(pk=before).exists():
        keys = paths.before(conversation, before, most)
    else:
        raise Http404
    found = paths.oldest_first(
        Message.objects.filter(pk__in=keys)
        .select_related("generation")
        .only("pk", "parent_id", "generation__message_id")
        .annotate(size=RawSQL(SIZE, ()))  # noqa: S611 (a constant)
    )
    fitting = found[-fitting_count(found, limit or WHOLE) :]
    shown = paths.oldest_first(
        Message.objects.filter(pk__in=[message.pk for message in fitting]).select_related("generation")
    )
    headers = {}
    if len(found) > len(fitting):
        count = f"limit={limit}&" if limit else ""
        address = request.build_absolute_uri(f"{request.path}?{count}before={fitting[0].pk}")
        headers["Link"] = f'<{address}>; rel="next"'
    return json_response([message_fields(message) for message in shown], headers=headers)


def fitting_count(messages: Sequence[Message], limit: int) -> int:
    """How many of the last messages, read with their `size`, fit on a page of at most `limit`."""
    room = BYTES_MAX
    for number, message in enumerate(reversed(messages[-limit:])):
        room -= vars(message)["size"]
        if room < 0:
            return max(1, number)
    return min(len(messages), limit)


def conversation_fields(conversation: Conversation) -> dict[str, object]:
    """A conversation's fields as `ConversationOut` describes them."""
    return {
        "id": conversation.pk,
        "title": conversation.title,
        "pinned": conversation.pinned_at is not None,
        "archived": conversation.archived_at is not None,
        "created_at": conversation.created_at,
        "updated_at": conversation.updated_at,
    }


def message_fields(message: Message) -> dict[str, object]:
    """A message's fields as `MessageOut` describes them."""
    fields: dict[str, object] = {
        "id": message.pk,
        "role": message.role,
        "content": message.text_so_far,
        "created_at": message.created_at,
    }
    if message.role == Role.ASSISTANT:
        fields["status"] = message.generation.status
        if message.generation.finish_reason:
            fields["finish_reason"] = message.generation.finish_reason
    if steps := steps_of(message):
        fields["tool_calls"] = [step.record() for step in steps]
    return fields


def parsed(cursor: str) -> Cursor | None:
    """The cursor from a request, or None for an empty one. Raises `Problem`."""
    try:
        return Cursor.parse(cursor)
    except ValueError as error:
        raise invalid(("cursor", "This is not a cursor of this list.")) from error
