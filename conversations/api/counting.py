"""Requests to the model that are not stored, within the limits of replies: admitted, counted, bounded."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.callers import Caller
from chatbot.core.process import Part
from chatbot.core.threads import DATABASE_AWAY
from chatbot.web.problems import Problem
from conversations.actions import turns
from conversations.llm import service as llm
from conversations.llm.service import ChatMessage, Event
from conversations.replies import context, dispatch
from conversations.usage import limits

logger = logging.getLogger(__name__)

_running = Part(Counter[UUID])
"""Number of running requests of this process that are not stored, by person."""


def admit(caller: Caller) -> None:
    """Admit one more request to the model that is not stored. Raises `Problem` and what `turns.admit` raises."""
    with transaction.atomic():
        if turns.admit(caller.user, None, unkept=_running()[caller.user.pk])[0]:
            raise Problem("too_many_replies")


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


async def limited(user_id: UUID, asked: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
    """The events of an answer, counted as one reply of the person and of this process, and bounded as a reply is.

    Raises `Problem` when there are too many replies.
    """
    with running(user_id):
        room, has_begun = settings.CHAT_REPLY_MAX_CHARS, False
        try:
            async with aclosing(asked) as events:
                async for event in events:
                    if said := saying(event):
                        has_begun = True
                        room -= len(said)
                    yield event
                    if room < 0:
                        yield llm.Finish("length")
                        return
        except llm.LLMError as error:
            # A filter may end an answer, as a length limit does; a refused question is an error.
            if error.code != "content_filter" or error.upstream or not has_begun:
                raise
            yield llm.Finish("content_filter")


async def counted(user_id: UUID, read: Sequence[ChatMessage], asked: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
    """The events of one request to the model, which was sent what is `read`.

    However it ends, the tokens that it used count toward the person's limits.
    """
    said: list[str] = []
    usage, stopped = None, False
    try:
        async with aclosing(asked) as events:
            async for event in events:
                if isinstance(event, llm.Usage):
                    usage = event
                elif text := saying(event):
                    said.append(text)
                yield event
    except (asyncio.CancelledError, GeneratorExit):
        stopped = True
        raise
    finally:
        await count(user_id, context.tokens_used(read, "".join(said), usage, stopped=stopped))


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
    if tokens:
        await at_last("The tokens of a completion cannot be counted: %s", limits.count_tokens, user_id, tokens)


async def at_last[**P](warning: str, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Run what has to be stored at the end of an answer, even when the client has gone away.

    While the database is away, only the warning is logged.
    """
    storing = asyncio.ensure_future(dispatch.engine().database(function, *args, **kwargs))
    try:
        await asyncio.shield(storing)
    except DATABASE_AWAY as error:
        logger.warning(warning, error)
