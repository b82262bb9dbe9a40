"""The rows of a reply with tools: its rounds and their calls, stored before anything runs.

Every statement that changes a reply's calls names the worker that has its lease, or the state that it expects, so that
of two who would act only one does. Every function here blocks; none may be called in the event loop.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from conversations.models import CallState, Decision, Generation, ReplyRound, Status, ToolCall
from conversations.models.steps import JOINT
from conversations.models.tool_calls import UNDECIDED
from conversations.usage import limits
from tools import registry

STOPPED = "It was stopped before it ran."
STOPPED_RUNNING = "It was stopped while it ran: it may have happened."

CHANGED = ("state", "worker", "result", "error", "decision", "decided_at", "started_at", "finished_at")
"""Columns of a call that change after it was stored."""


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


def expiry() -> datetime:
    """Time before which a call that still waits counts as declined."""
    return timezone.now() - timedelta(hours=settings.CHAT_APPROVAL_HOURS)


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
        for call in ToolCall.objects.filter(message=message_id).select_for_update().in_order():
            _settle(call)
            rounds[call.round].calls.append(call)
    return list(rounds.values())


def _settle(call: ToolCall) -> None:
    """Bring a call up to date whose worker is gone, or whose person did not answer in time."""
    if call.state == CallState.RUNNING:
        tool = registry.get(call.tool)
        call.state = CallState.APPROVED if tool and tool.may_run_again else CallState.UNKNOWN
        call.worker, call.decision = "", call.decision if call.state == CallState.APPROVED else ""
        # From now on the person has time to answer.
        call.created_at = timezone.now() if call.state == CallState.UNKNOWN else call.created_at
        call.save(update_fields=["state", "worker", "decision", "created_at"])
    elif call.is_undecided and call.created_at < expiry():
        call.state = CallState.DECLINED if call.state == CallState.WAITING else call.state
        call.decision, call.decided_at = Decision.EXPIRED, timezone.now()
        call.save(update_fields=["state", "decision", "decided_at"])


def add(said: Round, *, worker: str, draft: str, counts: Counts) -> bool:
    """Store a round and its calls, the text so far, and its tokens; returns False for a reply that was lost."""
    message_id = said.said.message_id
    with transaction.atomic():
        if counts.limited:
            limits.count_tokens(said.said.user_id, counts.limited)
        added = {
            name: Coalesce(F(name), 0) + value
            for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
            if (value := getattr(counts, name))
        }
        if not _own(message_id, worker).update(rounds=F("rounds") + 1, draft=draft, **added):
            transaction.set_rollback(True)
            return False
        said.said.save(force_insert=True)
        ToolCall.objects.bulk_create(said.calls)
    return True


def approve(calls: Iterable[ToolCall]) -> None:
    """Approve proposed calls which nothing holds up any more."""
    keys = [call.pk for call in calls]
    if keys:
        ToolCall.objects.filter(pk__in=keys, state=CallState.PROPOSED).update(
            state=CallState.APPROVED, decision=Decision.POLICY, decided_at=Now()
        )


def begin(keys: Collection[UUID], *, message_id: UUID, worker: str) -> set[UUID]:
    """Mark approved calls as running in this worker; returns those that are. A lost reply's calls do not run."""
    own = _own(message_id, worker)
    with transaction.atomic():
        approved = ToolCall.objects.filter(Exists(own), pk__in=keys, state=CallState.APPROVED).select_for_update()
        found = list(approved.values_list("pk", flat=True))
        ToolCall.objects.filter(pk__in=found).update(state=CallState.RUNNING, worker=worker, started_at=Now())
    return set(found)


def store(key: UUID, result: Mapping[str, Any], *, worker: str) -> bool:
    """Store the result of a call that this worker runs, in the caller's transaction.

    Returns False when it is not this worker's any more: what the tool did in the same transaction must not be kept.
    """
    own = ToolCall.objects.filter(pk=key, worker=worker, state=CallState.RUNNING)
    return bool(own.update(state=CallState.DONE, result=result, finished_at=Now()))


def fail(key: UUID, error: str, *, worker: str, state: CallState = CallState.FAILED) -> bool:
    """End a call that this worker runs without a result; returns False when it is not this worker's any more."""
    own = ToolCall.objects.filter(pk=key, worker=worker, state=CallState.RUNNING)
    return bool(own.update(state=state, error=error, finished_at=Now()))


def wait(message_id: UUID, *, worker: str, draft: str) -> bool:
    """Let the reply wait for its person, without a worker; returns False when nothing is undecided any more.

    Locks the generation before it looks, as a decision does: of the two, the later one sees what the other did.
    """
    with transaction.atomic():
        if not _own(message_id, worker).select_for_update().exists():
            return False
        undecided = ToolCall.objects.filter(UNDECIDED, message=message_id).order_by("created_at")
        first = undecided.values_list("created_at", flat=True).first()
        if first is None:
            return False
        until = first + timedelta(hours=settings.CHAT_APPROVAL_HOURS)
        return bool(
            _own(message_id, worker).update(
                status=Status.WAITING, worker="", waiting_until=until, draft=draft, heartbeat_at=None
            )
        )


def close(message_id: UUID, *, decision: Decision = Decision.STOPPED) -> list[ToolCall]:
    """End all calls of a reply that ends, in the caller's transaction; returns them in order."""
    calls = list(ToolCall.objects.filter(message=message_id).select_for_update().in_order())
    for call in calls:
        _close(call, decision)
    return calls


def _close(call: ToolCall, decision: Decision) -> None:
    now = timezone.now()
    if call.state in {CallState.PROPOSED, CallState.WAITING, CallState.APPROVED}:
        call.state, call.decision, call.decided_at, call.error = CallState.DECLINED, decision, now, STOPPED
    elif call.state == CallState.RUNNING:
        tool = registry.get(call.tool)
        undone = tool is not None and tool.atomic and not tool.is_async
        call.state = CallState.FAILED if undone or (tool and tool.read_only) else CallState.UNKNOWN
        call.error = STOPPED if undone else STOPPED_RUNNING
        call.worker, call.decision, call.decided_at, call.finished_at = "", decision, now, now
    elif call.is_undecided:
        call.decision, call.decided_at = decision, now
    else:
        return
    call.save(update_fields=list(CHANGED))


def _own(message_id: UUID, worker: str) -> Any:
    return Generation.objects.filter(pk=message_id, worker=worker, status=Status.RUNNING)
