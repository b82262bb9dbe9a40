"""Who makes a reply: the statements that claim a generation, keep it, and end it.

A claim is held by a worker's name, one name per claim. Each statement that follows names the worker, so that a process
that was thought dead and was replaced cannot write over its successor. Times are the database's, so that the clocks of
the machines need not agree. Every function here blocks; none may be called in the event loop.

Claims and checkpoints do not wait for the disk: if PostgreSQL or its machine fails in that moment, they are as if they
had not been, and the reply is made again. What was said and how it ended waits.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import DataError, transaction
from django.db.models import Case, Value, When
from django.db.models.functions import Now

from chatbot.core import sql
from chatbot.core.database import WITHOUT_WAITING, seconds_since_away
from conversations.models import (
    NO_WORKER,
    OPEN,
    TEXT_SO_FAR,
    TODAY,
    WAITING,
    Conversation,
    Generation,
    Message,
    Status,
    counted,
    has_no_worker,
)
from conversations.models.reasoning import NOTHING, Reasoning

logger = logging.getLogger(__name__)

AWAY_SECONDS = 6.0
"""How long this process takes nobody for dead after the database was out of its reach: longer than a worker of another
process may need to notice that it is back."""


ADDED = """CASE WHEN {name}::bigint + %({name})s <= 2147483647 THEN {name} + %({name})s
    ELSE coalesce(%({name})s, {name}) END"""
"""A column and what comes to it, either of which may be unknown."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A reply that was won, and what its conversation asks of the model."""

    message: Message
    """With its key, its parent's and its person's, and of its conversation key, instructions and temperature; nothing
    else."""
    model: str
    """The model that was chosen for the reply, or the conversation's; empty when nobody chose."""
    request_id: str = ""
    """The request that asked for the reply; empty when it is not known."""
    options: dict[str, Any] | None = None
    """What a program asked of the model beside the text; None for a person's reply."""
    begun: str = ""
    """The text with which the reply goes on, if it was continued."""
    reasoning: Reasoning = NOTHING
    """The reasoning that led to that text."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a worker has of a reply: all its text and reasoning, each None when it is as at the last checkpoint."""

    message_id: UUID
    worker: str
    text: str | None
    reasoning: Reasoning | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reply ended."""

    status: Status
    text: str
    is_draft_void: bool = False
    """Whether nothing that was saved of the text is part of it."""
    reasoning: Reasoning = NOTHING
    model: str = ""
    """The one that was asked, as far as known."""
    finish_reason: str = ""
    error_code: str = ""
    error: str = ""
    error_detail: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    tokens: int = 0
    """What counts toward the person's limits."""
    first_token_at: datetime | None = None
    window_start: datetime | None = None
    window_cut: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """A reply as the database has it."""

    text: str
    reasoning: Reasoning
    is_open: bool
    has_worker: bool


def _unmade() -> str:
    """The condition of a reply that this process may take.

    Whoever could not reach the database just now must assume that others could not either, and gave no sign of life for
    no other reason.
    """
    return NO_WORKER if seconds_since_away() >= AWAY_SECONDS else WAITING


class Won(NamedTuple):
    """What the statement that wins a reply returns of it."""

    parent_id: UUID | None
    model: str
    conversation_id: UUID
    user_id: UUID
    system_prompt: str
    temperature: float | None
    request_id: str
    options: str | None
    """JSON."""
    begun: str
    reasoning: str
    reasoning_seconds: float | None

    def claim(self, message_id: UUID) -> Claim:
        """The reply to this message, and what to ask for it."""
        conversation = Conversation(
            pk=self.conversation_id, system_prompt=self.system_prompt, temperature=self.temperature
        )
        message = Message(pk=message_id, conversation=conversation, user_id=self.user_id, parent_id=self.parent_id)
        options = json.loads(self.options) if self.options else None
        reasoning = Reasoning(self.reasoning, self.reasoning_seconds) if self.reasoning else NOTHING
        return Claim(message, self.model, self.request_id, options, self.begun, reasoning)


def claim(message_id: UUID, *, worker: str) -> Claim | None:
    """Take the reply for `worker`, if it is open and nobody makes it; what to ask for the one that won, else None.

    One whose worker died with a wish to stop unanswered is ended.
    """
    won = sql.first(
        Won,
        f"""
        UPDATE conversations_generation AS generation
        SET status = '{Status.RUNNING}', worker = %s,
            started_at = statement_timestamp(), heartbeat_at = statement_timestamp()
        FROM conversations_message AS message, conversations_conversation AS conversation, {WITHOUT_WAITING}
        WHERE generation.message_id = %s AND message.id = generation.message_id
            AND conversation.id = generation.conversation_id
            AND generation.stop_requested_at IS NULL AND {_unmade()}
        RETURNING message.parent_id, coalesce(nullif(generation.model, ''), conversation.model),
            conversation.id, conversation.user_id, conversation.system_prompt, conversation.temperature,
            generation.request_id, generation.options,
            CASE WHEN generation.continues THEN coalesce(nullif(generation.draft, ''), message.content) ELSE '' END,
            CASE WHEN generation.continues THEN generation.thought ELSE '' END, generation.thought_seconds
        """,  # noqa: S608 (a constant)
        [worker, message_id],
    )
    if won:
        return won.claim(message_id)
    # Its worker died with a stop request unanswered. Made by the ORM, the question would cost more than its answer.
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
    """Save the drafts and give a sign of life, in one statement.

    Returns for each reply that is still its worker's whether somebody asked to stop it; the others were lost.
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
    """Write the reply and how it ended, and count the person's tokens, in one statement. False when it is no longer
    this worker's; the tokens of one that was deleted count all the same.

    Locks what the person's turns wait for first, as storing a turn does; then the message before its generation, as the
    deletion of a conversation does.
    """
    columns: dict[str, Any] = {
        "status": str(outcome.status),
        "draft": "",
        "continues": False,
        "finish_reason": outcome.finish_reason,
        "model": outcome.model,
        "error_code": outcome.error_code,
        "error": outcome.error,
        "error_detail": outcome.error_detail,
        "first_token_at": outcome.first_token_at,
        "window_start": outcome.window_start,
        "window_cut": outcome.window_cut,
    }
    # Of a reply that was continued, they are those of all its parts.
    tokens: dict[str, Any] = {
        name: getattr(outcome, name)
        for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
    }
    # A second try that ends before its first word leaves the text and the reasoning of the first one.
    if outcome.text or outcome.reasoning.text:
        # The columns have the older name.
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
    """End an open reply that nobody makes, keeping its draft. False when there is none."""
    with transaction.atomic():
        free = Generation.objects.filter(pk=message_id).without_worker(_unmade()).select_for_update()
        draft = free.values_list("draft", flat=True).first()
        if draft is None:
            return False
        if draft:
            Message.objects.filter(pk=message_id).update(content=draft)
        Generation.objects.filter(pk=message_id).update(
            status=Status.STOPPED, draft="", continues=False, worker="", stop_requested_at=Now(), finished_at=Now()
        )
    return True


def stop(message_id: UUID) -> None:
    """End an open reply that nobody makes; ask the worker of one that is being made to end it, which it hears of within
    a second. Either way its text so far is kept. A reply that has ended stays as it is."""
    if not end_stopped(message_id):
        # Not only a running one: its process may have handed it back meanwhile, and who claims it next hears of it.
        Generation.objects.open().filter(pk=message_id, stop_requested_at=None).update(stop_requested_at=Now())


def hand_back(drafts: Iterable[Draft]) -> None:
    """Give up the replies, drafts saved, so that the next viewer's process makes them again."""
    for draft in drafts:
        own = Generation.objects.filter(pk=draft.message_id, worker=draft.worker, status=Status.RUNNING)
        changes: dict[str, Any] = {"draft": draft.text} if draft.text else {}
        if draft.reasoning and (draft.text or draft.reasoning.text):
            changes |= {"reasoning": draft.reasoning.text, "reasoning_seconds": draft.reasoning.seconds}
        try:
            own.update(status=Status.INTERRUPTED, worker="", **changes)
        except DataError:
            # Not the others' fault; this one is missed when its heartbeat has ended.
            logger.exception("Reply %s cannot be handed back.", draft.message_id)


def progress_of(message_ids: Iterable[UUID]) -> dict[UUID, Progress]:
    """How far these replies are, in one statement; those that are gone are left out."""
    rows = Generation.objects.filter(pk__in=list(message_ids)).values_list(
        "pk",
        "status",
        TEXT_SO_FAR,
        "reasoning",
        "reasoning_seconds",
        Case(When(has_no_worker(_unmade()), then=Value(value=False)), default=Value(value=True)),
    )
    return {
        key: Progress(text, Reasoning(reasoning, seconds), status in OPEN, has_worker)
        for key, status, text, reasoning, seconds, has_worker in rows
    }
