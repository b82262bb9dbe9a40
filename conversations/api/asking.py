"""A completion that is stored nowhere: the model is asked within the limits of replies, and its events passed on."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.http.response import HttpResponseBase

from accounts.callers import Caller
from chatbot.awaited import AwaitedResponse
from conversations import context, limits, llm, model_choices, replies, streams, turns
from conversations.api import completions, problems
from conversations.api.answers import json_response
from conversations.api.completion_schemas import ROLES, CompletionIn
from conversations.api.completions import Completion
from conversations.api.problems import Problem, invalid
from conversations.llm import ChatMessage, Event
from conversations.threads import DATABASE_AWAY

logger = logging.getLogger(__name__)

_running: Counter[UUID] = Counter()
"""Completions of this process by person."""


def completed(caller: Caller, body: CompletionIn) -> HttpResponseBase:
    """The completion in the form that the body asks for. Raises `Problem` and what `turns.admit` raises."""
    person = caller.user.pk
    messages = [ChatMessage(ROLES[message.role], message.text) for message in body.messages]
    room = settings.CHAT_CONTEXT_TOKENS * (context.REPLY_SHARE - 1) // context.REPLY_SHARE
    if sum(context.estimate_tokens(message.content) for message in messages) > room:
        raise invalid(("messages", "The messages are longer than the model can read."))
    with transaction.atomic():
        if turns.admit(caller.user, None, unkept=_running[person])[0]:
            raise Problem("too_many_replies")
    model = model_choices.to_ask(chosen(body.model))
    completion = Completion(f"chatcmpl-{uuid4().hex}", model)

    async def make() -> HttpResponseBase:
        events = limited(person, messages, model, body)
        try:
            if not body.stream:
                return json_response(await gathered(completion, events))
            # The status waits for the model's first event: until then a failure has one of its own.
            first = await anext(events)
            return streams.sent(person, chunks(completion, first, events, with_usage=body.wants_usage))
        except Exception as error:  # noqa: BLE001 (each becomes an answer)
            await events.aclose()
            return problems.answer(problems.as_problem(error), door=True)

    return AwaitedResponse(make)


def chosen(model: str) -> str:
    """The model that the caller names, or nothing for the default. Raises `Problem` for one that is not offered."""
    if model in {"", llm.OTHER_MODEL}:
        return ""
    # While nobody knows what the provider offers, any name that can be stored passes.
    if not model.isprintable() or not model_choices.is_offered(model):
        raise Problem("model_not_found")
    return model


async def limited(person: UUID, messages: list[ChatMessage], model: str, body: CompletionIn) -> AsyncGenerator[Event]:
    """The model's events, one reply of the person's and of this process's; raises `Problem` when that has too many.

    However it ends, what came of it counts toward the person's limits.
    """
    if replies.engine().making + _running.total() >= settings.CHAT_REPLIES_PER_PROCESS:
        raise Problem("server_busy")
    with running(person):
        room = settings.CHAT_REPLY_MAX_CHARS
        answered: list[str] = []
        usage, stopped = None, False
        asked = llm.stream(messages, model=model, temperature=body.temperature, options=body.options)
        try:
            async with aclosing(asked) as events:
                async for event in events:
                    if isinstance(event, llm.TextDelta | llm.ReasoningDelta):
                        answered.append(event.text)
                        room -= len(event.text)
                    elif isinstance(event, llm.Usage):
                        usage = event
                    yield event
                    if room < 0:
                        yield llm.Finish("length")
                        return
        except (asyncio.CancelledError, GeneratorExit):
            stopped = True
            raise
        finally:
            await count(person, context.tokens_used(messages, "".join(answered), usage, stopped=stopped))


async def count(person: UUID, tokens: int) -> None:
    """Count the tokens of a completion. Not to be interrupted by a client that went away."""
    if not tokens:
        return
    counting = asyncio.ensure_future(replies.engine().database(limits.count_tokens, person, tokens))
    try:
        await asyncio.shield(counting)
    except DATABASE_AWAY as error:
        logger.warning("The tokens of a completion cannot be counted: %s", error)


@contextmanager
def running(person: UUID) -> Iterator[None]:
    """Count as one completion that is being made."""
    _running[person] += 1
    try:
        yield
    finally:
        _running[person] -= 1
        if not _running[person]:
            del _running[person]


async def gathered(completion: Completion, events: AsyncGenerator[Event]) -> dict[str, object]:
    """The whole completion."""
    text: list[str] = []
    thought: list[str] = []
    usage, reason = None, "stop"
    async with aclosing(events):
        async for event in events:
            match event:
                case llm.TextDelta(text=more):
                    text.append(more)
                case llm.ReasoningDelta(text=more):
                    thought.append(more)
                case llm.Usage():
                    usage = event
                case llm.Finish():
                    reason = event.reason
                case llm.Asked(model=model):
                    completion.model = model
    return completion.whole("".join(text), thought="".join(thought), reason=reason, usage=usage)


async def chunks(
    completion: Completion, first: Event, events: AsyncGenerator[Event], *, with_usage: bool
) -> AsyncGenerator[bytes]:
    """The completion in chunks; a failure ends them."""
    usage, reason = None, "stop"

    async def all_events() -> AsyncGenerator[Event]:
        yield first
        async for event in events:
            yield event

    try:
        async with aclosing(events), aclosing(all_events()) as found:
            if isinstance(first, llm.Asked):
                completion.model = first.model
            yield completion.first()
            async for event in found:
                match event:
                    case llm.TextDelta(text=text):
                        yield completion.text(text)
                    case llm.ReasoningDelta(text=text):
                        yield completion.thought(text)
                    case llm.Usage():
                        usage = event
                    case llm.Finish():
                        reason = event.reason
        yield completion.last(reason=reason, usage=usage if with_usage else None)
    except Exception as error:  # noqa: BLE001 (the status is sent: the client is told in the stream)
        yield completions.failed(problems.as_problem(error))
