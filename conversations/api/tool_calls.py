"""Operations of the API on tool calls: which there are, which wait, and what the person decides."""

from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpResponse
from ninja import Query, Router

from accounts.bearer import ApiRequest
from chatbot.core.cursors import Cursor
from chatbot.web.api import errors, json_response
from conversations.actions import approvals
from conversations.api.conversations import CURSOR, PAGE, PAGE_MAX, parsed
from conversations.api.finding import find_tool_call
from conversations.api.schemas import DecisionIn, OwnToolCallOut, ToolCallsOut
from conversations.models import ToolCall
from conversations.models.steps import Step
from conversations.replies.rounds import expiry

router = Router(tags=["tool calls"])


@router.get(
    "/{user_id}/tool-calls",
    response={200: ToolCallsOut} | errors(401, 422, 429, 503),
    summary="List tool calls",
)
def list_tool_calls(
    request: ApiRequest,
    user_id: str,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE,
    cursor: Annotated[str, Query(pattern=CURSOR)] = "",
    status: Annotated[
        Literal["waiting"] | None, Query(description="`waiting`: only calls that need a decision now.")
    ] = None,
) -> HttpResponse:
    """List what the assistant did for the person, or what it asks, the latest first, page by page."""
    owned = ToolCall.objects.owned_by(request.auth.user)
    kept = owned.undecided().filter(created_at__gt=expiry()) if status else owned
    found = list(kept.select_related("message").newest_first().after(parsed(cursor))[: limit + 1])
    shown = found[:limit]
    last = shown[-1] if len(found) > limit else None
    return json_response(
        {
            "items": [call_fields(call) for call in shown],
            "next_cursor": str(Cursor(last.created_at, last.pk)) if last else None,
        }
    )


@router.post(
    "/{user_id}/tool-calls/{call_id}/decision",
    response={200: OwnToolCallOut} | errors(401, 403, 404, 409, 422, 429, 503),
    summary="Decide a tool call",
)
def decide(request: ApiRequest, user_id: str, call_id: UUID, body: DecisionIn) -> HttpResponse:
    """Approve or decline a call that waits; its reply goes on here when nothing of it waits any more.

    Of a call that was interrupted and may have happened, an approval runs it again, and to decline is to go on without.
    """
    approvals.decide(find_tool_call(request, call_id), approve=body.decision == "approve", always=body.always)
    return json_response(call_fields(find_tool_call(request, call_id)))


def call_fields(call: ToolCall) -> dict[str, object]:
    """A call's fields as `OwnToolCallOut` describes them."""
    conversation = call.message.conversation_id if call.message else None
    return Step.of(call).record() | {"conversation_id": conversation, "message_id": call.message_id}
