"""A person's decisions on tool calls; each is a verb and one transaction.

A decision is one conditional UPDATE. Whoever decides the last call for which a reply waits has the reply made: it goes
on in their process, watched or not.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import Case, Value, When
from django.utils import timezone

from chatbot.core.errors import UserFacingError
from conversations.models import CallState, Conversation, Decision, Generation, Message, Status, ToolCall
from conversations.models.tool_calls import UNDECIDED
from conversations.replies import dispatch
from conversations.replies.dispatch import Audience
from conversations.replies.rounds import expiry


class AlreadyDecided(UserFacingError):
    """This was decided already, here or in another window, or it waited too long. It now stands as you see it."""

    code = "already_decided"
    http_status = 409
    for_programs = "This tool call does not wait for a decision any more."


def decide(call: ToolCall, *, approve: bool, always: bool = False, audience: Audience = Audience.NOBODY) -> None:
    """Approve or decline a call that waits; `always` also lets its tool run in this conversation without asking.

    Of a call of which it is not known whether it happened, an approval runs it again, and to decline is to go on
    without. The reply goes on when nothing of it waits any more. Raises `AlreadyDecided`.
    """
    decide_all(call, [call], approve=approve, always=always, audience=audience)


def decide_together(message: Message, *, approve: bool, audience: Audience = Audience.NOBODY) -> None:
    """Approve or decline all calls of the reply that wait. Raises `AlreadyDecided` when none does."""
    waiting = list(ToolCall.objects.filter(UNDECIDED, message=message).in_order())
    if not waiting:
        raise AlreadyDecided
    decide_all(waiting[0], waiting, approve=approve, audience=audience)


def decide_all(
    first: ToolCall,
    calls: Iterable[ToolCall],
    *,
    approve: bool,
    always: bool = False,
    audience: Audience = Audience.NOBODY,
) -> None:
    """Decide these calls of one reply together; see `decide`."""
    message_id = first.message_id
    declined = Case(When(state=CallState.UNKNOWN, then=Value(CallState.UNKNOWN)), default=Value(CallState.DECLINED))
    with transaction.atomic():
        # The worker locks it too, before it looks whether anything waits.
        generation = Generation.objects.filter(pk=message_id).select_for_update().first()
        decided = ToolCall.objects.filter(
            UNDECIDED, pk__in=[call.pk for call in calls], created_at__gt=expiry()
        ).update(
            state=CallState.APPROVED if approve else declined,
            decision=Decision.PERSON,
            decided_at=timezone.now(),
            **({} if approve else {"finished_at": timezone.now()}),
        )
        if generation is None or not generation.is_open or not decided:
            transaction.set_rollback(True)
            raise AlreadyDecided
        if always and approve:
            _allow(generation.conversation_id, first.tool)
        _go_on(generation, audience)


def _allow(conversation_id: UUID, tool: str) -> None:
    conversation = Conversation.objects.select_for_update(no_key=True).get(pk=conversation_id)
    allowed = {*(conversation.tools_allowed or []), tool}
    Conversation.objects.filter(pk=conversation.pk).update(tools_allowed=sorted(allowed))


def _go_on(generation: Generation, audience: Audience) -> None:
    """Have the reply made again, if it waits and nothing of it is undecided any more."""
    if generation.status != Status.WAITING:
        return
    if ToolCall.objects.filter(UNDECIDED, message=generation.pk).exists():
        return
    Generation.objects.filter(pk=generation.pk).update(status=Status.PENDING, waiting_until=None)
    dispatch.start(generation.pk, audience=audience)
