"""Making one reply: collects the model's events into a text and an outcome."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings

from chatbot.core import faults
from chatbot.core.errors import UserFacingError
from chatbot.telemetry import metrics
from conversations.errors.providers import ContextTooLong, ProviderTools
from conversations.errors.replies import CutBeforeAnswer, EmptyReply, MessageTooLong, ReplyFailed, ReplyTooLong
from conversations.llm import service as llm
from conversations.llm.tool_calls import ToolCalls
from conversations.models import CUT, Message, Status
from conversations.models.reasoning import Reasoning, ReasoningBuffer
from conversations.models.steps import JOINT
from conversations.replies import context
from conversations.replies.acting import Acting
from conversations.replies.context import Window
from conversations.replies.leases import Draft, Outcome
from conversations.replies.live import LiveReply
from conversations.replies.proposals import Said
from conversations.replies.rounds import Counts, LeaseLost, StopRequested

logger = logging.getLogger(__name__)

REASON_MAX_CHARS = 50
OVERHANG = 4_096
"""Characters kept beyond a reply's limit: mostly the last piece, but a piece may have any size."""

PROGRAM_PATIENCE = 2.0
"""Seconds that a program's reply waits before another attempt.

When the provider asks for a longer wait, the program is told, and may ask another model meanwhile.
"""

Database = Callable[..., Awaitable[Any]]
"""Runs a blocking function with its arguments outside the event loop."""


class Worker:
    """A reply that this process makes, and its task. A `refusal` ends it before the model is asked."""

    def __init__(
        self,
        reply: LiveReply,
        *,
        name: str,
        user_id: UUID,
        model: str,
        options: Mapping[str, Any] | None = None,
        window: Window | None = None,
        begun: str = "",
        acting: Acting | None = None,
        refusal: UserFacingError | None = None,
    ) -> None:
        """Make what `reply` still lacks: its text so far stays, which `acting` has of its earlier rounds, and which it
        has `begun`, if it is continued."""
        self.reply = reply
        self.name = name
        self.user_id = user_id
        self.model = model
        self.options = options
        """Further options from a program; None for a person's reply."""
        self.task: asyncio.Task[None] | None = None
        self.outcome: Outcome | None = None
        """How the reply ended; from then on it only has to be saved, and stopping changes nothing."""
        self._asked = "" if model == llm.OTHER_MODEL else model
        self._refusal = refusal
        self._window = window
        self._window_goes_on = bool(begun)
        """Whether the window ends with the text that is continued."""
        self._begun = False
        self._stop_requested = False
        self._sent = False
        """Whether the model was asked: a reply stopped before its first token may still cost the question's tokens."""
        self._saved_length = 0
        self._saved_reasoning: Reasoning | None = None
        self.acting = acting
        self.is_waiting = False
        """Whether the reply waits for its person, and is no longer this worker's."""
        self.is_lost = False
        """Whether the reply turned out to be another worker's, or to be deleted."""
        self._kept = reply.text
        """The text from before this round, which stays whatever comes."""
        self._begins_at = acting.begins_at if acting else 0
        """Characters of the text before this round's."""
        self._is_joined = bool(begun[self._begins_at :].strip()) or not self._has_calls
        """Whether the round's text has begun, so that the next piece needs no blank line before it."""
        if self._is_joined and self._begins_at:
            self._begins_at += len(JOINT)
        self._begun_with = begun[self._begins_at :] if self._is_joined else ""
        """The text of this round that the reply continues."""
        self._reasoning_before = len(reply.reasoning.text)
        self._reasoning_buffer = ReasoningBuffer(before=reply.reasoning)
        self._was_reasoning = False
        """Whether earlier text turned out to be reasoning."""
        self._first_token_at: datetime | None = None
        self._usage: llm.Usage | None = None
        self._beside = 0
        """Characters that came besides text and reasoning, which are not kept."""
        self._finish_reason = ""
        self._messages: list[llm.ChatMessage] = []
        """What the model was asked with in this round."""
        self._calls = ToolCalls()
        self._items: Mapping[str, Any] = {}

    def draft(self) -> Draft:
        """The parts of the reply that the next checkpoint has to save."""
        text = self.reply.text
        changed = len(text) != self._saved_length
        self._saved_length = len(text)
        # Otherwise the last pieces before a pause would wait for the next piece.
        self._think(self._reasoning_buffer.snapshot())
        # The first text also replaces an earlier worker's reasoning.
        reasoning = self.reply.reasoning
        reasoning_changed = reasoning is not self._saved_reasoning and bool(text or reasoning.text)
        if reasoning_changed:
            self._saved_reasoning = reasoning
        return Draft(
            self.reply.message_id, self.name, text if changed else None, reasoning if reasoning_changed else None
        )

    def forget_checkpoint(self) -> None:
        """Make the next checkpoint save everything, because the last one failed."""
        self._saved_length = 0
        self._saved_reasoning = None

    def stop(self) -> None:
        """End the reply with the text so far."""
        if self._stop_requested or self.outcome:
            return
        self._stop_requested = True
        # A task that is cancelled before its first step could not read the reason.
        if self._begun and self.task:
            self.task.cancel()

    async def run(self, database: Database) -> Outcome | None:
        """Ask the model and collect its answer until there is an outcome; every failure becomes one.

        Returns None for a reply that waits for its person, or was lost to another worker. Raises
        `asyncio.CancelledError` when the task was cancelled for another reason than `stop`.
        """
        self._begun = True
        try:
            if self._refusal:
                raise self._refusal
            if not self._stop_requested:
                await self._gather(database)
            self.outcome = None if self.is_waiting else self._ended()
        except LeaseLost:
            self.is_lost = True
            return None
        except StopRequested:
            self._stop_requested = True
            self.outcome = self._outcome(Status.STOPPED)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._stop_requested or task is None:
                raise
            task.uncancel()
            self.outcome = self._outcome(Status.STOPPED)
        except UserFacingError as error:
            if (self._begun_with or self._has_calls) and getattr(error, "is_empty", False):
                # Asked to continue, or after its tools, the model had nothing to add.
                self._finish_reason = "stop"
                self.outcome = self._outcome(Status.COMPLETE)
                return self.outcome
            error = self._explained(error)
            logger.info("Reply %s failed: %s", self.reply.message_id, error.code)
            self.reply.failure = error
            self.outcome = self._outcome(Status.FAILED, error)
        except Exception as error:
            logger.exception("Reply %s failed.", self.reply.message_id)
            self.outcome = self.failed(error)
        return self.outcome

    def failed(self, error: Exception) -> Outcome:
        """The outcome of a fault of this site: text and error, without anything that may have caused the fault."""
        # Staff without permission to read messages may read this: the error's own words could contain a refused row.
        failed = ReplyFailed(faults.described(error))
        return Outcome(
            Status.FAILED,
            self.reply.text,
            error_code=failed.code,
            error_params=failed.parameters,
            error_detail=failed.detail,
            reasoning=self.reply.reasoning,
            model=self._asked,
            tokens=self.tokens(),
            has_calls=self._has_calls,
        )

    def count(self, outcome: Outcome) -> None:
        """Count the ended reply in the metrics."""
        label = metrics.model_label(self._asked)
        metrics.replies.labels(outcome.status, outcome.error_code, label).inc()
        metrics.reply_seconds.labels(label).observe(time.perf_counter() - self.reply.since)

    def tokens(self) -> int:
        """Tokens that count toward the person's limits: those of the reply so far, without its earlier rounds."""
        answered = self.reply.text[len(self._kept) :] + self.reply.reasoning.text[self._reasoning_before :]
        asked = self._messages
        return context.tokens_used(asked, answered, self._usage, stopped=self._stop_requested and self._sent)

    @property
    def _has_calls(self) -> bool:
        return bool(self.acting and self.acting.rounds)

    async def _gather(self, database: Database) -> None:
        """Ask the model, and run the tools that it names, until it has answered or the reply waits."""
        goes_on = self.acting is None or await self.acting.run()
        while goes_on and (acting := await self._round(database)):
            goes_on = await acting.run()
        self.is_waiting = not goes_on

    async def _round(self, database: Database) -> Acting | None:
        """Ask the model once; returns what runs the tool calls that it named, which are stored; None without any."""
        offered = self._offered()
        try:
            await self._ask(database, offered)
        except ProviderTools:
            if not offered:
                raise
            # The model takes no tools: it answers without.
            self._window = None
            if not self._has_calls:
                self.acting = None
            await self._ask(database, {})
        self._think(self._reasoning_buffer.end())
        calls = self._calls.whole()
        if not (calls and self.acting and offered):
            return None
        said = Said(
            text=self.reply.text[self._begins_at :] if self._is_joined else "",
            place=len(self.reply.text),
            reasoning=self.reply.reasoning.text[self._reasoning_before :].strip(),
            items=self._items,
            calls=calls,
        )
        await self.acting.add(said, draft=self.reply.text, counts=self._counts())
        self._begin_round()
        return self.acting

    def _begin_round(self) -> None:
        self._kept, self._begins_at, self._is_joined = self.reply.text, len(self.reply.text), False
        self._begun_with = ""
        self._reasoning_before = len(self.reply.reasoning.text)
        self._usage, self._messages, self._calls, self._items, self._beside = None, [], ToolCalls(), {}, 0
        self._sent = False

    def _offered(self) -> dict[str, Any]:
        """The field of the request that offers tools; empty without any, and for a model that takes none."""
        return self.acting.offer.options() if self.acting and llm.takes_tools(self.model) else {}

    async def _ask(self, database: Database, offered: Mapping[str, Any]) -> None:
        """Ask the model once, and take what it answers."""
        made = self._made(context.available() // 2, offered)
        if made and self._begun_with:
            # The text of this round follows those before it.
            made += context.going_on(self._begun_with, context.available() // 4)
        begun = "" if made else self._begun_with
        if self._window is None or not self._fits(self._window, made, offered):
            read = partial(window_for, begun=begun, offered=offered, reserved=context.tokens_of(made))
            self._window = await database(read, self.reply.message_id)
            self._window_goes_on = bool(begun)
        self._messages = [*self._window.messages, *made]
        limit = settings.CHAT_REPLY_MAX_CHARS
        if not self._has_calls:
            metrics.added_seconds.observe(time.perf_counter() - self.reply.since)
        self._sent = True
        options = dict(self.options or {}) | dict(offered)
        asked = llm.stream(
            self._messages,
            model=self.model,
            temperature=options.pop("temperature", self._window.temperature),
            options=options,
            patience=None if self.options is None else PROGRAM_PATIENCE,
        )
        async with contextlib.aclosing(asked) as events:
            async for event in events:
                self._take(event, limit)
                if max(len(self.reply.text), self._reasoning_buffer.size, self._beside) > limit:
                    raise ReplyTooLong(limit=limit)

    def _made(self, room: int, offered: Mapping[str, Any]) -> list[llm.ChatMessage]:
        """The reply's earlier rounds as messages, in about `room` tokens."""
        if not self.acting:
            return []
        return self.acting.messages(room) if offered else self.acting.told(room)

    def _fits(self, window: Window, made: list[llm.ChatMessage], offered: Mapping[str, Any]) -> bool:
        """Whether the reply's earlier rounds fit below the window as it was read before."""
        if not made:
            return True
        tokens = context.tokens_of([*window.messages, *made]) + context.tokens_offered(offered)
        return not self._window_goes_on and tokens <= context.available()

    def _take(self, event: llm.Event, limit: int) -> None:
        match event:
            case llm.TextDelta(text=text):
                self._note_first_token()
                self._think(self._reasoning_buffer.end())
                self._write(text[: max(0, limit + OVERHANG - len(self.reply.text))])
            case llm.ReasoningDelta(text=text):
                self._think(self._reasoning_buffer.add(text[: max(0, limit + OVERHANG - self._reasoning_buffer.size)]))
            case llm.Extra(name=name, value=value):
                self._beside += len(str(value))
                if self.acting:
                    self._calls.take(name, value)
            case llm.Returned(fields=fields):
                self._items = fields
            case llm.TextWasReasoning():
                self._turn_into_reasoning()
            case llm.Usage():
                self._usage = event
            case llm.Finish():
                self._finish_reason = CUT if event.is_cut else event.reason[:REASON_MAX_CHARS]
            case llm.Asked(model=model):
                self._asked = model

    def _note_first_token(self) -> None:
        if self._first_token_at is None:
            self._first_token_at = datetime.now(UTC)
            waited = time.perf_counter() - self.reply.since
            metrics.first_token_seconds.labels(metrics.model_label(self._asked)).observe(waited)

    def _write(self, text: str) -> None:
        """Add text to the reply; the rounds are joined by a blank line."""
        if not self._is_joined:
            if not (text := text.lstrip()):
                return
            self.reply.text += JOINT if self.reply.text else ""
            self._begins_at, self._is_joined = len(self.reply.text), True
        self.reply.text += text
        self.reply.wake()

    def _think(self, reasoning: Reasoning | None) -> None:
        if reasoning:
            self.reply.reasoning = reasoning
            self.reply.wake()

    def _turn_into_reasoning(self) -> None:
        began = self._first_token_at or datetime.now(UTC)
        seconds = (datetime.now(UTC) - began).total_seconds()
        taken = self._reasoning_buffer.take(self.reply.text[len(self._kept) :], seconds)
        self.reply.turn_into(taken, text=self._kept)
        self._is_joined = self._is_joined and self._begins_at <= len(self._kept)
        self._was_reasoning = True
        # The next checkpoint saves the text, however short it is.
        self._saved_length = -1
        self.reply.wake()

    def _explained(self, error: UserFacingError) -> UserFacingError:
        """The error that helps most: when a single message is too long, the conversation has not grown too long."""
        asked = self._messages
        if isinstance(error, ContextTooLong) and sum(message.role != "system" for message in asked) == 1:
            return MessageTooLong(error)
        return error

    def _ended(self) -> Outcome:
        if self._stop_requested:
            return self._outcome(Status.STOPPED)
        if not self.reply.text.strip() and not self._has_calls:
            return self._outcome(Status.FAILED, CutBeforeAnswer() if self._finish_reason == CUT else EmptyReply())
        return self._outcome(Status.COMPLETE)

    def _counts(self) -> Counts:
        """The tokens of this round."""
        usage = self._usage
        if usage is None:
            return Counts(limited=self.tokens())
        return Counts(
            usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens, self.tokens()
        )

    def _outcome(self, status: Status, error: UserFacingError | None = None) -> Outcome:
        """The outcome with the worker's counts and times."""
        self._think(self._reasoning_buffer.end())
        return Outcome(
            status=status,
            text=self.reply.text,
            is_draft_void=self._was_reasoning,
            reasoning=replace(self.reply.reasoning, text=self.reply.reasoning.text.rstrip()),
            model=self._asked,
            finish_reason=self._finish_reason,
            error_code=error.code if error else "",
            error_params=error.parameters if error else {},
            error_detail=getattr(error, "detail", ""),
            prompt_tokens=self._usage.prompt_tokens if self._usage else None,
            completion_tokens=self._usage.completion_tokens if self._usage else None,
            cached_tokens=self._usage.cached_tokens if self._usage else None,
            reasoning_tokens=self._usage.reasoning_tokens if self._usage else None,
            tokens=self.tokens(),
            first_token_at=self._first_token_at,
            window_start=self._window.start if self._window else None,
            window_cut=bool(self._window and self._window.is_cut),
            has_calls=self._has_calls,
        )


def window_for(
    message_id: UUID, *, begun: str = "", offered: Mapping[str, Any] | None = None, reserved: int = 0
) -> Window:
    """The model's window for a reply that continues `begun`. Causes queries. Raises `LeaseLost` for a deleted one."""
    message = Message.objects.select_related("conversation").filter(pk=message_id).first()
    if message is None:
        raise LeaseLost
    return context.window_for(message, begun=begun, offered=offered, reserved=reserved)
