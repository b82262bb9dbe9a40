"""Leases of replies: the statements that claim a generation, keep the claim, and end the reply.

A claim is held by a worker's name, one name per claim. Each later statement names the worker, so that a process that
seemed dead and was replaced cannot overwrite its successor's reply. Times are the database's, so that the clocks of the
machines need not agree. Every function here blocks; none may be called in the event loop.

Claims and checkpoints do not wait for the disk: a crash of PostgreSQL or its machine may lose them, and the reply is
made again. Messages and the ends of replies do wait.
"""

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import DataError, transaction
from django.db.models import Case, Q, Value, When
from django.db.models.functions import Now
from psycopg.types.json import Jsonb

from chatbot.core import sql
from chatbot.core.database import WITHOUT_WAITING, seconds_since_away
from conversations.models import (
    NO_WORKER,
    TEXT_SO_FAR,
    TODAY,
    UNCLAIMED,
    UNDER_WAY,
    Conversation,
    Generation,
    Message,
    Status,
    counted,
    has_no_worker,
)
from conversations.models.reasoning import NOTHING, Reasoning
from conversations.models.steps import Step, records_of
from conversations.replies import rounds

logger = logging.getLogger(__name__)

AWAY_SECONDS = 6.0
"""Seconds after this process lost the database in which it takes over no replies of others.

Longer than a worker of another process may need to notice that the database is back.
"""


ADDED = """CASE WHEN {name}::bigint + %({name})s <= 2147483647 THEN {name} + %({name})s
    ELSE coalesce(%({name})s, {name}) END"""
"""SQL for the sum of a column and a new count, either of which may be NULL."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed reply, and what the model is to be asked for it."""

    message: Message
    """The message with its key, its parent's and its person's; of its conversation: key, instructions, temperature."""
    model: str
    """The model chosen for the reply, or the conversation's; empty when none was chosen."""
    request_id: str = ""
    """Id of the request for the reply; empty when unknown."""
    options: dict[str, Any] | None = None
    """Further options that a program sent for the model; None for a person's reply."""
    begun: str = ""
    """The text that the reply continues, if it was continued."""
    reasoning: Reasoning = NOTHING
    """The reasoning before that text."""
    rounds: int = 0
    """Number of its rounds that ended with tool calls."""
    is_continued: bool = False
    """Whether the person let it go on after it had ended."""
    tools_off: Collection[str] = ()
    """Names of the tools that the assistant does not get in the conversation."""
    tools_allowed: Collection[str] = ()
    """Names of the tools that run in the conversation without asking."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A worker's draft of a reply: text and reasoning, each None when unchanged since the last checkpoint."""

    message_id: UUID
    worker: str
    text: str | None
    reasoning: Reasoning | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reply ended, with all that is stored of it."""

    status: Status
    text: str
    is_draft_void: bool = False
    """Whether no saved draft is part of the text."""
    reasoning: Reasoning = NOTHING
    model: str = ""
    """The model that was asked, as far as known."""
    finish_reason: str = ""
    error_code: str = ""
    error_params: Mapping[str, Any] = field(default_factory=dict)
    """What the sentence of the error depends on."""
    error_detail: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    tokens: int = 0
    """Tokens that count toward the person's limits."""
    first_token_at: datetime | None = None
    window_start: datetime | None = None
    window_cut: bool = False
    has_calls: bool = False
    """Whether the reply has tool calls, which end with it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A reply as it is in the database."""

    text: str
    reasoning: Reasoning
    is_open: bool
    """Whether it is being made, or is to be; False for one that has ended or waits for its person."""
    has_worker: bool
    steps: tuple[Step, ...] = ()


def _unmade() -> str:
    """The condition of a reply that this process may claim.

    A process that could not reach the database just now must assume that others could not either, and that this is why
    their heartbeats are missing.
    """
    return NO_WORKER if seconds_since_away() >= AWAY_SECONDS else UNCLAIMED


class Won(NamedTuple):
    """Columns that the statement of a successful claim returns."""

    parent_id: UUID | None
    model: str
    conversation_id: UUID
    user_id: UUID
    system_prompt: str
    temperature: float | None
    request_id: str
    options: str | None
    """The options as JSON text, or None."""
    begun: str
    reasoning: str
    reasoning_seconds: float | None
    rounds: int
    is_continued: bool
    tools_off: str | None
    """Names as JSON text, or None."""
    tools_allowed: str | None

    def claim(self, message_id: UUID) -> Claim:
        """The claim for this message's reply."""
        conversation = Conversation(
            pk=self.conversation_id, system_prompt=self.system_prompt, temperature=self.temperature
        )
        message = Message(pk=message_id, conversation=conversation, user_id=self.user_id, parent_id=self.parent_id)
        options = json.loads(self.options) if self.options else None
        reasoning = Reasoning(self.reasoning, self.reasoning_seconds) if self.reasoning else NOTHING
        return Claim(
            message,
            self.model,
            self.request_id,
            options,
            self.begun,
            reasoning,
            self.rounds,
            self.is_continued,
            _names(self.tools_off),
            _names(self.tools_allowed),
        )


def _names(stored: str | None) -> list[str]:
    names = json.loads(stored) if stored else []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def claim(message_id: UUID, *, worker: str) -> Claim | None:
    """Claim the reply for `worker`, if it is open and has no worker; None if that fails. Causes a query or two.

    A reply whose worker died with an unanswered stop request is ended.
    """
    won = sql.first(
        Won,
        f"""
        UPDATE conversations_generation AS generation
        SET status = '{Status.RUNNING}', worker = %s, waiting_until = NULL,
            started_at = statement_timestamp(), heartbeat_at = statement_timestamp()
        FROM conversations_message AS message, conversations_conversation AS conversation, {WITHOUT_WAITING}
        WHERE generation.message_id = %s AND message.id = generation.message_id
            AND conversation.id = generation.conversation_id
            AND generation.stop_requested_at IS NULL AND {_unmade()}
        RETURNING message.parent_id, coalesce(nullif(generation.model, ''), conversation.model),
            conversation.id, conversation.user_id, conversation.system_prompt, conversation.temperature,
            generation.request_id, generation.options,
            CASE WHEN generation.continues THEN coalesce(nullif(generation.draft, ''), message.content) ELSE '' END,
            CASE WHEN generation.continues OR generation.rounds > 0 THEN generation.thought ELSE '' END,
            generation.thought_seconds, generation.rounds, generation.continues,
            conversation.tools_off, conversation.tools_allowed
        """,  # noqa: S608 (a constant)
        [worker, message_id],
    )
    if won:
        return won.claim(message_id)
    # The worker died with an unanswered stop request. The ORM would take longer to build this query than it takes to
    # run.
    is_stopped = sql.run(
        f"""
        SELECT FROM conversations_generation
        WHERE message_id = %s AND stop_requested_at IS NOT NULL AND {_unmade()}
        """,  # noqa: S608 (a constant)
        [message_id],
    )
    if is_stopped:
        end_stopped(message_id)
    return None


class Saved(NamedTuple):
    """A reply whose draft was saved."""

    message_id: UUID
    is_to_stop: bool


def checkpoint(drafts: Sequence[Draft]) -> dict[UUID, bool]:
    """Save the drafts and write heartbeats, in one statement.

    Returns, for each reply that is still its worker's, whether a stop was requested; replies that are missing were
    lost.
    """
    saved = sql.rows(
        Saved,
        f"""
        UPDATE conversations_generation AS generation
        SET draft = coalesce(saved.draft, generation.draft),
            thought = coalesce(saved.thought, generation.thought),
            thought_seconds = CASE WHEN saved.thought IS NULL THEN generation.thought_seconds
                ELSE saved.thought_seconds END,
            heartbeat_at = statement_timestamp()
        FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::float8[])
            AS saved (message_id, worker, draft, thought, thought_seconds), {WITHOUT_WAITING}
        WHERE generation.message_id = saved.message_id AND generation.worker = saved.worker
            AND generation.status = '{Status.RUNNING}'
        RETURNING generation.message_id, generation.stop_requested_at IS NOT NULL
        """,  # noqa: S608 (a constant)
        [
            [draft.message_id for draft in drafts],
            [draft.worker for draft in drafts],
            [draft.text for draft in drafts],
            [draft.reasoning and draft.reasoning.text for draft in drafts],
            [draft.reasoning and draft.reasoning.seconds for draft in drafts],
        ],
    )
    return dict(saved)


def finish(message_id: UUID, outcome: Outcome, *, worker: str, user_id: UUID) -> bool:
    """Save the reply's end and count the person's tokens; returns False for a lost reply.

    One statement, and three more for a reply with tool calls. The tokens of a deleted reply are counted all the same.
    Locks the row for which the person's turns wait first, as storing a turn does; then the message before its
    generation, as the deletion of a conversation does.
    """
    if not outcome.has_calls:
        return _finish(message_id, outcome, worker=worker, user_id=user_id)
    with transaction.atomic():
        # The generation is locked before its calls, as by a decision.
        if not _finish(message_id, outcome, worker=worker, user_id=user_id):
            return False
        _close_calls(message_id)
    return True


def _close_calls(message_id: UUID) -> None:
    """End the reply's calls, and record them in its message."""
    if calls := rounds.close(message_id):
        Message.objects.filter(pk=message_id).update(tool_calls=records_of(map(Step.of, calls)))


def _finish(message_id: UUID, outcome: Outcome, *, worker: str, user_id: UUID) -> bool:
    columns: dict[str, Any] = {
        "status": str(outcome.status),
        "draft": "",
        "continues": False,
        "finish_reason": outcome.finish_reason,
        "model": outcome.model,
        "error_code": outcome.error_code,
        "error_params": Jsonb(outcome.error_params) if outcome.error_params else None,
        "error_detail": outcome.error_detail,
        "first_token_at": outcome.first_token_at,
        "window_start": outcome.window_start,
        "window_cut": outcome.window_cut,
    }
    # A continued reply has the tokens of all its parts.
    tokens: dict[str, Any] = {
        name: getattr(outcome, name)
        for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
    }
    # A second attempt that ends before its first token keeps text and reasoning of the first attempt.
    if outcome.text or outcome.reasoning.text:
        # The columns keep their older names.
        columns |= {"thought": outcome.reasoning.text, "thought_seconds": outcome.reasoning.seconds}
    written = sql.run(
        f"""
        WITH counted AS (
            UPDATE conversations_turnwindow AS kept SET {counted("tokens", "%(tokens)s", today="today")}
            FROM (SELECT {TODAY} AS today) AS now
            WHERE user_id = %(user_id)s AND %(tokens)s > 0 AND NOT EXISTS (
                SELECT FROM conversations_generation WHERE message_id = %(message)s
                    AND (worker <> %(worker)s OR status <> '{Status.RUNNING}'))
            RETURNING user_id
        ), said AS (
            SELECT id FROM conversations_message WHERE id = %(message)s AND (SELECT count(*) FROM counted) >= 0
            FOR NO KEY UPDATE
        ), own AS (
            SELECT message_id, draft FROM said JOIN conversations_generation ON message_id = said.id
            WHERE worker = %(worker)s AND status = '{Status.RUNNING}' FOR UPDATE OF conversations_generation
        ), ended AS (
            UPDATE conversations_generation AS generation
            SET finished_at = statement_timestamp(), {", ".join(f"{name} = %({name})s" for name in columns)},
                {", ".join(f"{name} = {ADDED.format(name=name)}" for name in tokens)}
            FROM own WHERE generation.message_id = own.message_id
        )
        UPDATE conversations_message AS message
        SET content = coalesce(
            nullif(%(text)s, ''), CASE WHEN NOT %(is_draft_void)s THEN nullif(own.draft, '') END, message.content)
        FROM own WHERE message.id = own.message_id
        """,  # noqa: S608 (the names above)
        columns
        | tokens
        | {
            "message": message_id,
            "worker": worker,
            "user_id": user_id,
            "tokens": outcome.tokens,
            "zone": settings.TIME_ZONE,
            "text": outcome.text,
            "is_draft_void": outcome.is_draft_void,
        },
    )
    return bool(written)


def end_stopped(message_id: UUID) -> bool:
    """End an open reply without a worker, keeping its draft; returns False when there is none."""
    with transaction.atomic():
        free = Generation.objects.filter(has_no_worker(_unmade()) | Q(status=Status.WAITING), pk=message_id)
        if not free.exists():
            return False
        # The message is locked before its generation, as by the deletion of a conversation.
        sql.run("SELECT FROM conversations_message WHERE id = %s FOR NO KEY UPDATE", [message_id])
        found = free.select_for_update().values_list("draft", "rounds").first()
        if found is None:
            return False
        draft, count = found
        if draft:
            Message.objects.filter(pk=message_id).update(content=draft)
        if count:
            _close_calls(message_id)
        Generation.objects.filter(pk=message_id).update(
            status=Status.STOPPED,
            draft="",
            continues=False,
            worker="",
            waiting_until=None,
            stop_requested_at=Now(),
            finished_at=Now(),
        )
    return True


def stop(message_id: UUID) -> None:
    """End an open reply without a worker; ask the worker of a running one to end it, within a second.

    Its text so far is kept in both cases. A reply that has ended stays as it is.
    """
    if not end_stopped(message_id):
        # Any open reply: its process may have handed it back meanwhile, and its next worker reads the request.
        Generation.objects.open().filter(pk=message_id, stop_requested_at=None).update(stop_requested_at=Now())
        # Its worker may have let go of it meanwhile, to wait for its person: then no other would read the request.
        end_stopped(message_id)


def hand_back(drafts: Iterable[Draft]) -> None:
    """Give up the replies, with their drafts saved, so that the next viewer's process makes them again."""
    for draft in drafts:
        own = Generation.objects.filter(pk=draft.message_id, worker=draft.worker, status=Status.RUNNING)
        changes: dict[str, Any] = {"draft": draft.text} if draft.text else {}
        if draft.reasoning and (draft.text or draft.reasoning.text):
            changes |= {"reasoning": draft.reasoning.text, "reasoning_seconds": draft.reasoning.seconds}
        try:
            own.update(status=Status.INTERRUPTED, worker="", **changes)
        except DataError:
            # The other replies are still handed back; this one is taken over when its heartbeat has expired.
            logger.exception("Reply %s cannot be handed back.", draft.message_id)


def progress_of(message_ids: Iterable[UUID]) -> dict[UUID, Progress]:
    """State of these replies, in one statement, or two if any has tool calls; deleted ones are missing."""
    rows = Generation.objects.filter(pk__in=list(message_ids)).values_list(
        "pk",
        "status",
        TEXT_SO_FAR,
        "reasoning",
        "reasoning_seconds",
        "rounds",
        Case(When(has_no_worker(_unmade()), then=Value(value=False)), default=Value(value=True)),
    )
    with_calls = [row[0] for row in rows if row[5]]
    calls = rounds.read(with_calls) if with_calls else {}
    return {
        key: Progress(
            text,
            Reasoning(reasoning, seconds),
            # One whose decision is overdue is to be made again.
            status in UNDER_WAY or (status == Status.WAITING and not has_worker),
            has_worker,
            tuple(map(Step.of, calls.get(key, ()))),
        )
        for key, status, text, reasoning, seconds, _, has_worker in rows
    }
