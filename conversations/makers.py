"""One reply being made: the model's events gathered into a text, and how it ended."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings

from chatbot.telemetry import faults, metrics
from conversations import context, llm
from conversations.context import Window
from conversations.errors import UserFacingError
from conversations.leases import Draft, Outcome
from conversations.live import LiveReply
from conversations.models import Message, Status
from conversations.thoughts import Thinking, Thought

logger = logging.getLogger(__name__)

DETAIL_MAX_CHARS = 2_000

Database = Callable[[Callable[[UUID], Window], UUID], Awaitable[Window]]
"""Runs a blocking function with its argument outside the event loop."""


class ReplyFailed(UserFacingError):
    """Something went wrong on our side while the answer was written. Your message is saved. Please try again."""

    code = "internal"

    def __init__(self, detail: str = "") -> None:
        super().__init__()
        self.detail = detail[:DETAIL_MAX_CHARS].replace("\0", "").encode(errors="replace").decode()


class EmptyReply(UserFacingError):
    """The assistant ended without an answer. Your message is saved. Please try again."""

    code = "empty_reply"


class ServerBusy(UserFacingError):
    """This server is writing as many replies as it can at once. Your message is saved. Please try again in a moment."""

    code = "server_busy"


class ReplyTooLong(UserFacingError):
    """The answer did not end, so it was stopped at {limit:,} characters. What came is kept. Ask for a shorter one."""

    code = "reply_too_long"


class Maker:
    """A reply that this process makes, and the task that does it. A `refusal` ends it before the model is asked."""

    def __init__(
        self,
        reply: LiveReply,
        *,
        worker: str,
        person: UUID,
        model: str,
        window: Window | None = None,
        refusal: UserFacingError | None = None,
    ) -> None:
        self.reply = reply
        self.worker = worker
        self.person = person
        self.model = model
        self.task: asyncio.Task[None] | None = None
        self.outcome: Outcome | None = None
        """How the reply ended; from then on it is only to be saved, and no stop changes it."""
        self._asked = "" if model == llm.OTHER_MODEL else model
        self._refusal = refusal
        self._window = window
        self._begun = False
        self._stop_requested = False
        self._sent = False
        """Whether the model was asked: who stops it before its first word may have to pay for the question."""
        self._saved_length = 0
        self._saved_thought: Thought | None = None
        self._thinking = Thinking()
        self._first_token_at: datetime | None = None
        self._usage: llm.Usage | None = None

    def draft(self) -> Draft:
        """What the next checkpoint has to save."""
        text = self.reply.text
        changed = len(text) != self._saved_length
        self._saved_length = len(text)
        # The last pieces before a pause would wait for the next one otherwise.
        self._think(self._thinking.look())
        # The first words take the place of an earlier maker's thought too.
        thought = self.reply.thought
        thought_changed = thought is not self._saved_thought and bool(text or thought.text)
        if thought_changed:
            self._saved_thought = thought
        return Draft(
            self.reply.message_id, self.worker, text if changed else None, thought if thought_changed else None
        )

    def forget_checkpoint(self) -> None:
        """Let the next checkpoint save everything: the last one failed."""
        self._saved_length = 0
        self._saved_thought = None

    def stop(self) -> None:
        """End the reply with the text that came."""
        if self._stop_requested or self.outcome:
            return
        self._stop_requested = True
        # A task that is cancelled before its first step would never notice why.
        if self._begun and self.task:
            self.task.cancel()

    async def run(self, database: Database) -> Outcome:
        """Ask the model and gather its answer until there is an outcome. Every failure becomes one.

        Raises `asyncio.CancelledError` when the task was cancelled for another reason than `stop`.
        """
        self._begun = True
        try:
            if self._refusal:
                raise self._refusal
            if not self._stop_requested:
                await self._gather(database)
            self.outcome = self._ended()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._stop_requested or task is None:
                raise
            task.uncancel()
            self.outcome = self._outcome(Status.STOPPED)
        except UserFacingError as error:
            logger.info("Reply %s failed: %s", self.reply.message_id, error.code)
            self.outcome = self._outcome(Status.FAILED, error)
        except Exception as error:
            logger.exception("Reply %s failed.", self.reply.message_id)
            self.outcome = self.failed(error)
        return self.outcome

    def failed(self, error: Exception) -> Outcome:
        """The outcome of a fault of ours: the text and the error, and nothing that may be the fault's cause."""
        # Staff who may not read what was said may read this: its own words could be the row that was refused.
        failed = ReplyFailed(faults.described(error))
        return Outcome(
            Status.FAILED,
            self.reply.text,
            error_code=failed.code,
            error=str(failed),
            error_detail=failed.detail,
            thought=self.reply.thought,
            model=self._asked,
            tokens=self.tokens(),
        )

    def count(self, outcome: Outcome) -> None:
        """Count the reply, which has ended so."""
        label = metrics.model_label(self._asked)
        metrics.replies.labels(outcome.status, outcome.error_code, label).inc()
        metrics.reply_seconds.labels(label).observe(time.perf_counter() - self.reply.since)

    def tokens(self) -> int:
        """What the reply counts toward the person's limits so far."""
        answered = self.reply.text + self.reply.thought.text
        asked = self._window.messages if self._window else ()
        return context.tokens_used(asked, answered, self._usage, stopped=self._stop_requested and self._sent)

    async def _gather(self, database: Database) -> None:
        self._window = self._window or await database(window_for, self.reply.message_id)
        limit = settings.CHAT_REPLY_MAX_CHARS
        metrics.added_seconds.observe(time.perf_counter() - self.reply.since)
        self._sent = True
        asked = llm.stream(self._window.messages, model=self.model, temperature=self._window.temperature)
        async with contextlib.aclosing(asked) as events:
            async for event in events:
                match event:
                    case llm.TextDelta(text=text):
                        if self._first_token_at is None:
                            self._first_token_at = datetime.now(UTC)
                            waited = time.perf_counter() - self.reply.since
                            metrics.first_token_seconds.labels(metrics.model_label(self._asked)).observe(waited)
                        self._think(self._thinking.end())
                        self.reply.text += text
                        self.reply.wake()
                    case llm.ReasoningDelta(text=text):
                        self._think(self._thinking.add(text))
                    case llm.Usage():
                        self._usage = event
                    case llm.Asked(model=model):
                        self._asked = model
                if len(self.reply.text) > limit or len(self.reply.thought.text) > limit:
                    raise ReplyTooLong(limit=limit)

    def _think(self, thought: Thought | None) -> None:
        if thought:
            self.reply.thought = thought
            self.reply.wake()

    def _ended(self) -> Outcome:
        if self._stop_requested:
            return self._outcome(Status.STOPPED)
        if not self.reply.text.strip():
            return self._outcome(Status.FAILED, EmptyReply())
        return self._outcome(Status.COMPLETE)

    def _outcome(self, status: Status, error: UserFacingError | None = None) -> Outcome:
        """How the reply ended."""
        self._think(self._thinking.end())
        return Outcome(
            status=status,
            text=self.reply.text,
            thought=replace(self.reply.thought, text=self.reply.thought.text.rstrip()),
            model=self._asked,
            error_code=error.code if error else "",
            error=str(error) if error else "",
            error_detail=getattr(error, "detail", ""),
            prompt_tokens=self._usage.prompt_tokens if self._usage else None,
            completion_tokens=self._usage.completion_tokens if self._usage else None,
            tokens=self.tokens(),
            first_token_at=self._first_token_at,
            window_start=self._window.start if self._window else None,
            window_cut=bool(self._window and self._window.is_cut),
        )


def window_for(message_id: UUID) -> Window:
    """What to ask the model for a reply. Causes queries."""
    return context.window_for(Message.objects.select_related("conversation").get(pk=message_id))
