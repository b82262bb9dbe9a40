"""Completions that are not stored: asks the model within the limits of replies and passes its events on."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.http.response import HttpResponseBase

from accounts.callers import Caller
from chatbot.core.process import Part
from chatbot.core.threads import DATABASE_AWAY
from chatbot.web import problems
from chatbot.web.api import json_response
from chatbot.web.awaited import AwaitedResponse
from chatbot.web.problems import Problem
from conversations.actions import turns
from conversations.api import door_streams
from conversations.api.completion_schemas import CompletionIn, others, size
from conversations.api.completions import Completion
from conversations.llm import model_choices
from conversations.llm import service as llm
from conversations.llm.service import ChatMessage, Event
from conversations.replies import context, dispatch
from conversations.usage import limits

logger = logging.getLogger(__name__)

_running = Part(Counter[UUID])
"""Number of running requests of this process that are not stored, by person."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a program asks the model, whichever address it came to."""

    messages: list[ChatMessage]
    options: Mapping[str, Any]
    """Further fields for the provider."""
    model: str
    """The model to ask, as `llm.stream` takes it."""
    temperature: float | None
    streams: bool
    """Whether the answer comes as events while it is made."""


class Answer(Protocol):
    """An answer while it is made, in the form of one address."""

    def add(self, event: Event) -> object:
        """Add an event of the model to an answer that is sent whole."""

    def whole(self) -> dict[str, Any]:
        """The whole answer as JSON fields, once all events were added."""

    def frame(self, event: Event) -> bytes:
        """Add an event of the model to an answer that is streamed; returns what is sent for it, if anything."""

    def last(self) -> bytes:
        """What is sent once all events were added."""

    def failed(self, problem: Problem) -> bytes:
        """What is sent last if the answer fails after its beginning."""


def completed(caller: Caller, body: CompletionIn) -> HttpResponseBase:
    """The completion in the form that the body asks for. Raises `Problem` and what `turns.admit` raises."""
    model = model_choices.to_ask(chosen(body.model))
    options = body.options
    completion = Completion(f"chatcmpl-{uuid4().hex}", model, body.wants_usage, with_functions="functions" in options)
    question = Question(body.chat_messages, options, model, body.temperature, bool(body.stream))
    return answered(caller, question, completion)


def answered(caller: Caller, question: Question, answer: Answer) -> HttpResponseBase:
    """The model's answer as a response. Raises `Problem` and what `turns.admit` raises."""
    read = [ChatMessage(message.role, size(message)) for message in question.messages]
    if more := others(question.options):
        read.append(ChatMessage("system", more))
    tokens = sum(context.estimate_tokens(message.content) for message in read)
    if tokens > settings.CHAT_CONTEXT_TOKENS * (context.REPLY_SHARE - 1) // context.REPLY_SHARE:
        raise too_long(tokens)
    admit(caller)

    async def make() -> HttpResponseBase:
        asked = llm.stream(
            question.messages,
            model=question.model,
            temperature=question.temperature,
            options=question.options,
            # The client itself repeats the request, or asks another model.
            patience=0,
        )
        events = limited(caller.user.pk, read, asked)
        if question.streams:
            return await door_streams.answered(caller, frames(answer, events), answer.failed)
        if task := asyncio.current_task():
            dispatch.engine().wait_for(task)
        try:
            return json_response(await gathered(answer, events))
        except Exception as error:  # noqa: BLE001 (each becomes an answer)
            return problems.answer(problems.as_problem(error), door=True)

    return AwaitedResponse(make)


def admit(caller: Caller) -> None:
    """Admit one more request to the model that is not stored. Raises `Problem` and what `turns.admit` raises."""
    with transaction.atomic():
        if turns.admit(caller.user, None, unkept=_running()[caller.user.pk])[0]:
            raise Problem("too_many_replies")


def chosen(model: str | None) -> str:
    """The model that the caller names, or empty for the default. Raises `Problem` for one that is not offered."""
    if not model or model == llm.OTHER_MODEL:
        return ""
    # While the provider's list is unknown, any storable name is accepted.
    if not model.isprintable() or not model_choices.is_offered(model):
        raise Problem("model_not_found")
    return model


def too_long(tokens: int) -> Problem:
    """The problem of messages that exceed the model's context, in the words that gateways recognise."""
    return Problem(
        "context_too_long",
        f"This model's maximum context length is {settings.CHAT_CONTEXT_TOKENS} tokens, one in {context.REPLY_SHARE} "
        f"of them for the answer. However, your messages resulted in about {tokens} tokens. Please reduce the length "
        "of the messages.",
    )


async def limited(user_id: UUID, read: list[ChatMessage], asked: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
    """The model's events, counted as one reply of the person and of this process.

    `read` is what the model was sent, `asked` its events. Raises `Problem` when there are too many replies. However the
    request ends, the tokens that it used count toward the person's limits.
    """
    with running(user_id):
        room = settings.CHAT_REPLY_MAX_CHARS
        answered: list[str] = []
        usage, stopped = None, False
        try:
            async with aclosing(asked) as events:
                async for event in events:
                    if isinstance(event, llm.Usage):
                        usage = event
                    elif said := saying(event):
                        answered.append(said)
                        room -= len(said)
                    yield event
                    if room < 0:
                        yield llm.Finish("length")
                        return
        except llm.LLMError as error:
            # A filter may end an answer, as a length limit does; a refused question is an error.
            if error.code != "content_filter" or error.upstream or not answered:
                raise
            yield llm.Finish("content_filter")
        except (asyncio.CancelledError, GeneratorExit):
            stopped = True
            raise
        finally:
            await count(user_id, context.tokens_used(read, "".join(answered), usage, stopped=stopped))


def saying(event: Event) -> str:
    """The text that the event adds to the answer."""
    match event:
        case llm.TextDelta(text=text) | llm.ReasoningDelta(text=text):
            return text
        case llm.Extra(value=value):
            return str(value)
    return ""


async def count(user_id: UUID, tokens: int) -> None:
    """Count the tokens of a completion, even when the client has gone away."""
    if not tokens:
        return
    counting = asyncio.ensure_future(dispatch.engine().database(limits.count_tokens, user_id, tokens))
    try:
        await asyncio.shield(counting)
    except DATABASE_AWAY as error:
        logger.warning("The tokens of a completion cannot be counted: %s", error)


@contextmanager
def running(user_id: UUID) -> Iterator[None]:
    """Count one more request that is being answered, for a `with` block.

    Raises `Problem` when the process has too many.
    """
    counts = _running()
    if dispatch.engine().making + counts.total() >= settings.CHAT_REPLIES_PER_PROCESS:
        raise Problem("server_busy")
    counts[user_id] += 1
    try:
        yield
    finally:
        counts[user_id] -= 1
        if not counts[user_id]:
            del counts[user_id]


async def gathered(answer: Answer, events: AsyncGenerator[Event]) -> dict[str, Any]:
    """The whole answer as JSON fields, once all events have come."""
    async with aclosing(events):
        async for event in events:
            answer.add(event)
    return answer.whole()


async def frames(answer: Answer, events: AsyncGenerator[Event]) -> AsyncGenerator[bytes]:
    """The answer as frames of an event stream."""
    async with aclosing(events):
        async for event in events:
            if frame := answer.frame(event):
                yield frame
    yield answer.last()
