"""The rows of a reply with tools: its rounds and their calls, stored before anything runs.

Every statement that changes a reply's calls names the worker that has its lease, or the state that it expects, so that
of two who would act only one does. Every function here blocks; none may be called in the event loop.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from chatbot.core import sql
from chatbot.core.database import WITHOUT_WAITING
from conversations.models import CallState, Conversation, Decision, Generation, ReplyRound, Status, ToolCall
from conversations.models.steps import JOINT
from conversations.models.tool_calls import UNDECIDED
from conversations.usage import limits
from tools import registry

STOPPED = "It was stopped before it ran."
STOPPED_UNDONE = "It was stopped while it ran. It has changed nothing."
STOPPED_RUNNING = "It was stopped while it ran: it may have happened."

CHANGED = ("state", "worker", "result", "error", "decision", "decided_at", "started_at", "finished_at")
"""Columns of a call that change after it was stored."""


LOCK_PERSON = f"SELECT FROM accounts_user, {WITHOUT_WAITING} WHERE id = %s FOR KEY SHARE OF accounts_user"  # noqa: S608
"""SQL that locks a person's row against deletion, and lets the transaction not wait for the disk.

A round that a crash of the database loses has had no effect yet: what runs first is on the disk together with it.
"""

HOLD, HOLD_WITHOUT_WAITING = (
    f"""
    SELECT stop_requested_at IS NOT NULL FROM {tables}
    WHERE message_id = %s AND worker = %s AND status = '{Status.RUNNING}'
    FOR NO KEY UPDATE OF conversations_generation
    """  # noqa: S608 (constants)
    for tables in ("conversations_generation", f"conversations_generation, {WITHOUT_WAITING}")
)


class LeaseLost(Exception):
    """The reply is no longer this worker's: another one makes it, or it was deleted."""


class StopRequested(Exception):
    """The reply is to stop; somebody has asked for that in another process."""


class Held(NamedTuple):
    """A reply that its worker has locked."""

    is_to_stop: bool


class Times(NamedTuple):
    """The columns of a statement that asks for the time."""

    now: datetime


@dataclass(slots=True)
class Round:
    """What the model said in one round, and the calls that it named, in order."""

    said: ReplyRound
    calls: list[ToolCall] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens of one round: as the provider counted them, and as they count toward the person's limits."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    limited: int = 0


def text_of(several: Sequence[Round]) -> str:
    """The reply's text up to the end of these rounds."""
    return JOINT.join(said.said.text for said in several if said.said.text)


def reasoning_of(several: Sequence[Round]) -> str:
    """The reasoning up to the end of these rounds."""
    return JOINT.join(said.said.reasoning for said in several if said.said.reasoning)


def expiry() -> CombinedExpression:
    """Time before which a call that still waits counts as declined, as an expression for queries.

    It is the database's time, as in the statements that claim an overdue reply.
    """
    return Now() - _patience()


def read(message_ids: Iterable[UUID]) -> dict[UUID, list[ToolCall]]:
    """The calls of these replies, in order; replies without any are missing. Causes a query."""
    found: dict[UUID, list[ToolCall]] = {}
    for call in ToolCall.objects.filter(message__in=list(message_ids)).in_order():
        if call.message_id:
            found.setdefault(call.message_id, []).append(call)
    return found


def take_over(message_id: UUID, *, worker: str) -> list[Round]:
    """The rounds of a reply that this worker has claimed, with what has to be said of their calls.

    A call that was caught running may run again if its tool allows that; any other becomes unknown, and its person is
    asked. A call that has waited for too long is declined.
    """
    with transaction.atomic():
        if not _own(message_id, worker).select_for_update().exists():
            return []
        rounds = {said.number: Round(said) for said in ReplyRound.objects.filter(message=message_id).order_by("number")}
        calls = list(ToolCall.objects.filter(message=message_id).select_for_update().in_order())
        (now,) = sql.only(Times, "SELECT statement_timestamp()", [])
        for call in calls:
            _settle(call, now)
            rounds[call.round].calls.append(call)
    return list(rounds.values())


def _settle(call: ToolCall, now: datetime) -> None:
    """Bring a call up to date whose worker is gone, or whose person did not answer in time."""
    if call.state == CallState.RUNNING:
        tool = registry.get(call.tool)
        call.state = CallState.APPROVED if tool and tool.may_run_again else CallState.UNKNOWN
        call.worker, call.decision = "", call.decision if call.state == CallState.APPROVED else ""
        # From now on the person has time to answer.
        call.created_at = now if call.state == CallState.UNKNOWN else call.created_at
        call.save(update_fields=["state", "worker", "decision", "created_at"])
    elif call.is_undecided and call.created_at <= now - _patience():
        call.state = CallState.DECLINED if call.state == CallState.WAITING else call.state
        call.decision, call.decided_at, call.finished_at = Decision.EXPIRED, now, now
        call.save(update_fields=["state", "decision", "decided_at", "finished_at"])


def add(added: Round, *, worker: str, draft: str, counts: Counts) -> None:
    """Store a round and its calls, the text so far, and its tokens. Raises `LeaseLost`.

    Does not wait for the disk. A second attempt, made because the database went away before it could answer, stores
    nothing twice.
    """
    try:
        _add(added, worker, draft, counts)
    except IntegrityError:
        if not ReplyRound.objects.filter(pk=added.said.pk).exists():
            raise


def _add(added: Round, worker: str, draft: str, counts: Counts) -> None:
    said = added.said
    tokens = {
        name: Coalesce(F(name), 0) + value
        for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
        if (value := getattr(counts, name))
    }
    with transaction.atomic():
        # In the order in which a deletion locks them: the new rows refer to the person and to the message.
        sql.run(LOCK_PERSON, [said.user_id])
        if counts.limited:
            limits.count_tokens(said.user_id, counts.limited)
        sql.run("SELECT FROM conversations_message WHERE id = %s FOR KEY SHARE", [said.message_id])
        if not _own(said.message_id, worker).update(rounds=F("rounds") + 1, draft=draft, **tokens):
            raise LeaseLost
        said.save(force_insert=True)
        ToolCall.objects.bulk_create(added.calls)


def begin(call: ToolCall, *, worker: str) -> bool:
    """Mark a call that may run as running in this worker; returns False when it may not run any more.

    A proposed call is approved thereby: nothing holds it up. Raises `LeaseLost` and `StopRequested`: the calls of a
    reply that was lost, or is to stop, do not run.
    """
    tool = registry.get(call.tool)
    with transaction.atomic():
        _hold(call.message_id, worker, durably=tool is None or not tool.may_run_again)
        return mark_running(call.pk, worker=worker)


def mark_running(key: UUID, *, worker: str) -> bool:
    """Mark a call as running in this worker, which has locked its reply if there is one.

    Returns False when it may not run any more.
    """
    may_run = Q(state__in=(CallState.PROPOSED, CallState.APPROVED))
    # A first attempt may have come through although the database could not say so.
    may_run |= Q(state=CallState.RUNNING, worker=worker)
    is_proposed = Q(state=CallState.PROPOSED)
    begun = ToolCall.objects.filter(may_run, pk=key).update(
        state=CallState.RUNNING,
        worker=worker,
        started_at=Now(),
        decision=Case(When(is_proposed, then=Value(Decision.POLICY)), default=F("decision")),
        decided_at=Case(When(is_proposed, then=Now()), default=F("decided_at")),
    )
    return bool(begun)


def store(key: UUID, result: Mapping[str, Any], *, worker: str) -> bool:
    """Store the result of a call that this worker runs, in the caller's transaction.

    Returns False when it is not this worker's any more: what the tool did in the same transaction must not be kept.
    """
    own = ToolCall.objects.filter(_ran_by(worker, CallState.DONE), pk=key)
    return bool(own.update(state=CallState.DONE, result=result, finished_at=Now()))


def fail(key: UUID, error: str, *, worker: str) -> bool:
    """End a call that this worker runs without a result; returns False when it has ended, or is another worker's."""
    own = ToolCall.objects.filter(_ran_by(worker, CallState.FAILED), pk=key)
    return bool(own.update(state=CallState.FAILED, error=error, finished_at=Now()))


def done_by(key: UUID, worker: str) -> ToolCall | None:
    """The call, if this worker ran it and its result is stored; None otherwise. Causes a query."""
    return ToolCall.objects.filter(pk=key, worker=worker, state=CallState.DONE).first()


def wait(message_id: UUID, *, worker: str, draft: str) -> bool:
    """Let the reply wait for its person, without a worker; returns False when nothing is undecided any more.

    Locks the generation before it looks, as a decision and a request to stop do: of the two, the later one sees what
    the other did. Raises `LeaseLost` and `StopRequested`.
    """
    with transaction.atomic():
        _hold(message_id, worker, durably=True)
        undecided = ToolCall.objects.filter(UNDECIDED, message=message_id).order_by("created_at")
        first = undecided.values_list("created_at", flat=True).first()
        if first is None:
            return False
        until = first + _patience()
        return bool(
            _own(message_id, worker).update(
                status=Status.WAITING, worker="", waiting_until=until, draft=draft, heartbeat_at=None
            )
        )


def allowed_in(conversation_id: UUID) -> list[str]:
    """Names of the tools that run in the conversation without asking. Causes a query."""
    found = Conversation.objects.filter(pk=conversation_id).values_list("tools_allowed", flat=True).first()
    return list(found or ())


def close(message_id: UUID, *, decision: Decision = Decision.STOPPED) -> list[ToolCall]:
    """End all calls of a reply that ends, in the caller's transaction; returns them in order."""
    calls = list(ToolCall.objects.filter(message=message_id).select_for_update().in_order())
    for call in calls:
        give_up(call, decision)
    return calls


def give_up(call: ToolCall, decision: Decision) -> None:
    """End a call that has not ended, because nobody goes on with it; its row is locked by the caller."""
    now = timezone.now()
    if call.state in {CallState.PROPOSED, CallState.WAITING, CallState.APPROVED}:
        call.state, call.decision, call.decided_at, call.error = CallState.DECLINED, decision, now, STOPPED
        call.finished_at = now
    elif call.state == CallState.RUNNING:
        tool = registry.get(call.tool)
        # An atomic tool whose result is not stored has left nothing behind, nor has one that only reads.
        is_undone = tool is not None and (tool.atomic or tool.read_only)
        call.state = CallState.FAILED if is_undone else CallState.UNKNOWN
        call.error = STOPPED_UNDONE if is_undone else STOPPED_RUNNING
        call.worker, call.decision, call.decided_at, call.finished_at = "", decision, now, now
    elif call.is_undecided:
        call.decision, call.decided_at, call.finished_at = decision, now, now
    else:
        return
    call.save(update_fields=list(CHANGED))


def _hold(message_id: UUID | None, worker: str, *, durably: bool) -> None:
    """Lock the reply of this worker, in the caller's transaction. Raises `LeaseLost` and `StopRequested`.

    Unless `durably`, the transaction does not wait for the disk.
    """
    held = sql.first(Held, HOLD if durably else HOLD_WITHOUT_WAITING, [message_id, worker])
    if held is None:
        raise LeaseLost
    if held.is_to_stop:
        raise StopRequested


def _patience() -> timedelta:
    return timedelta(hours=settings.CHAT_APPROVAL_HOURS)


def _own(message_id: UUID, worker: str) -> Any:
    return Generation.objects.filter(pk=message_id, worker=worker, status=Status.RUNNING)


def _ran_by(worker: str, end: CallState) -> Q:
    """Calls that this worker runs, or has brought to this end: an attempt of which it did not hear."""
    return Q(worker=worker, state__in=(CallState.RUNNING, end))
