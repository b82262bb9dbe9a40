"""A person's decisions on tool calls; each is a verb and one transaction.

A decision is one conditional UPDATE. Whoever approves a call, or decides the last one for which a reply waits, has the
reply made: it goes on in their process, watched or not, and waits again if anything of it is still undecided.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import Case, Value, When
from django.db.models.functions import Now

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
    without. An approved call runs at once, unless it has to wait for an earlier one. Raises `AlreadyDecided`.
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
        if always and approve:
            # The conversation is locked before its reply, as by its deletion.
            _allow(message_id, first.tool)
        # The worker locks it too, before it looks whether anything waits.
        generation = Generation.objects.filter(pk=message_id).select_for_update().first()
        decided = ToolCall.objects.filter(
            UNDECIDED, pk__in=[call.pk for call in calls], created_at__gt=expiry()
        ).update(
            state=CallState.APPROVED if approve else declined,
            decision=Decision.PERSON,
            decided_at=Now(),
            **({} if approve else {"finished_at": Now()}),
        )
        if generation is None or not generation.is_open or not decided:
            transaction.set_rollback(True)
            raise AlreadyDecided
        _go_on(generation, audience, has_approved=approve)


def _allow(message_id: UUID | None, tool: str) -> None:
    found = Conversation.objects.filter(messages=message_id).select_for_update(no_key=True, of=("self",))
    if conversation := found.first():
        allowed = sorted({*(conversation.tools_allowed or []), tool})
        Conversation.objects.filter(pk=conversation.pk).update(tools_allowed=allowed)


def _go_on(generation: Generation, audience: Audience, *, has_approved: bool) -> None:
    """Have the reply made again, if it has something to do and nobody makes it."""
    if not has_approved and ToolCall.objects.filter(UNDECIDED, message=generation.pk).exists():
        return
    waiting = Generation.objects.filter(pk=generation.pk, status=Status.WAITING)
    waiting.update(status=Status.PENDING, waiting_until=None)
    # Of one that is under way nothing has to be known here: it is claimed only if its worker is gone.
    dispatch.start(generation.pk, audience=audience)
