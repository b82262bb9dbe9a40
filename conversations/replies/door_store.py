"""The rows of tool calls that belong to no reply: a program asked for them, and its answer is not stored."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Coalesce, Now

from chatbot.core import sql
from conversations.models import CallState, Decision, ToolCall
from conversations.models.tool_calls import CallOrigin
from conversations.replies import rounds, saving
from conversations.replies.proposals import CALLS_MOST, NOBODY_TO_ASK
from conversations.replies.rounds import Counts, LeaseLost, Round
from tools import registry
from tools.results import Result

UNENDED = (CallState.PROPOSED, CallState.APPROVED, CallState.RUNNING)


@dataclass(frozen=True, slots=True)
class DoorStore:
    """The rows of one answer that this worker makes; rounds are kept in memory only, for the answer ends with it."""

    user_id: UUID
    worker: str
    keys: list[UUID] = field(default_factory=list)
    """Keys of the calls so far."""

    @property
    def conversation_id(self) -> None:
        """None: the answer has no conversation."""

    @property
    def columns(self) -> dict[str, Any]:
        """The owner, and where the calls come from."""
        return {"user_id": self.user_id, "origin": CallOrigin.DOOR}

    def allowed(self) -> list[str]:
        """No names: what the person allows, they allow for a conversation."""
        return []

    def add(self, added: Round, *, draft: str, counts: Counts) -> None:
        """Store the calls of a round; its tokens are counted by who asks. Raises `LeaseLost` when the person is gone.

        A second attempt, made because the database went away before it could answer, stores nothing twice. The first
        round also ends the person's calls whose process was killed.
        """
        is_first = not self.keys
        self.keys.extend(call.pk for call in added.calls if call.pk not in self.keys)
        with transaction.atomic():
            if not sql.run("SELECT FROM accounts_user WHERE id = %s FOR KEY SHARE", [self.user_id]):
                raise LeaseLost
            if is_first:
                end_abandoned(self.user_id)
            ToolCall.objects.bulk_create(added.calls, ignore_conflicts=True)

    def begin(self, call: ToolCall) -> bool:
        """Mark a call as running; returns False for one that asks by now, which has failed. Raises `LeaseLost`."""
        tool = registry.get(call.tool)
        if tool and registry.policy_of(tool) == "ask":
            refused = ToolCall.objects.filter(pk=call.pk, state=CallState.APPROVED)
            refused.update(state=CallState.FAILED, error=NOBODY_TO_ASK, decision="", finished_at=Now())
            return False
        if not rounds.mark_running(call.pk, worker=self.worker):
            raise LeaseLost
        return True

    def store(self, key: UUID, result: Result) -> bool:
        """Store the result of a call that this worker runs; see `rounds.store`."""
        return rounds.store(key, result.to_json(), worker=self.worker)

    def fail(self, key: UUID, error: str) -> bool:
        """End a call that this worker runs; see `rounds.fail`."""
        return rounds.fail(key, error, worker=self.worker)

    def done(self, key: UUID) -> ToolCall | None:
        """The call, if this worker ran it and its result is stored. Causes a query."""
        return rounds.done_by(key, self.worker)

    def wait(self) -> bool:
        """False: nothing of the answer waits for the person."""
        return False

    def read(self) -> list[ToolCall]:
        """The answer's calls, in order. Causes a query."""
        return list(ToolCall.objects.filter(pk__in=self.keys).in_order())

    def end(self) -> None:
        """End all calls that have not ended, because the answer has."""
        with transaction.atomic():
            for call in ToolCall.objects.filter(pk__in=self.keys, state__in=UNENDED).select_for_update().in_order():
                rounds.give_up(call, Decision.STOPPED)


def end_abandoned(user_id: UUID) -> None:
    """End the person's calls whose process was killed, in the caller's transaction. Causes a query.

    No call is under way for as long as one round may take, and the storing of its last result.
    """
    longest = timedelta(seconds=CALLS_MOST * settings.CHAT_TOOL_SECONDS + saving.SECONDS)
    abandoned = ToolCall.objects.filter(user_id=user_id, message=None, origin=CallOrigin.DOOR, state__in=UNENDED)
    begun = abandoned.alias(begun=Coalesce("started_at", "created_at")).filter(begun__lt=Now() - longest)
    for call in begun.select_for_update(skip_locked=True):
        rounds.give_up(call, Decision.STOPPED)
