"""Reading a provider's answer from the network: its bytes in time, and what a failing connection means."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import cast

import aiohttp
import httpx2

from chatbot.core.process import Part
from conversations.llm import errors
from conversations.llm.errors import LLMError
from conversations.llm.events import Event, Finish
from conversations.llm.protocol import Answer, SentError
from conversations.llm.sse import EVENT_MAX_BYTES, EventStream, ProtocolError, looks_like
from conversations.llm.transport import plain_answer

AFTER_FINISH_SECONDS = 5.0
"""How long the count of tokens and the end of the stream may take once the text is whole."""

AFTER_DONE_SECONDS = 0.25
"""How long the body's end may take after `[DONE]`; a body read to its end leaves the connection open for the next."""

REST_PER_ANSWER = 0.000_75
"""Seconds to wait between two reads of an answer, for each answer that the process is reading: what came meanwhile is
read at once. Waking up costs as much as reading ten tokens."""

REST_LEAST = 0.01
"""A shorter wait is none: a dozen answers and fewer are read token by token."""

FILTERED = frozenset({"content_filter", "safety", "sensitive", "prohibited_content", "blocklist", "recitation"})
"""The words by which providers say that they withheld an answer."""

BROKEN = frozenset(
    {
        "abort",
        "aborted",
        "cancelled",
        "canceled",
        "error",
        "failed",
        "insufficient_system_resource",
        "network_error",
        "server_error",
        "timeout",
    }
)
"""The words by which they say that they could not go on."""

# aiohttp's own errors pass the client's transport wherever that has no translation for them.
TRANSPORT_ERRORS = (httpx2.HTTPError, aiohttp.ClientError, OSError, ssl.CertificateError)
PROBLEMS = (LLMError, ProtocolError, SentError, *TRANSPORT_ERRORS)


@dataclass(slots=True)
class Reading:
    """What the process reads at the moment."""

    answers: int = 0


_reading = Part(Reading)


async def read(response: httpx2.Response, answer: Answer, *, deadline: float, silence: float) -> AsyncGenerator[Event]:
    """Yield the events of the body, the usage, then `Finish`. Raises LLMError.

    The first text must come before `deadline` (the loop's time), each later event within `silence` seconds of the one
    before. Comments that only keep the connection awake do not count.
    """
    reading = _reading()
    beginning = _Beginning()
    lines = EventStream()
    body = _Body(response)
    reading.answers += 1
    try:
        while packet := await _next(body, answer, deadline):
            events = lines.feed(beginning.streamed(packet))
            for event in answer.chunks(events):
                yield event
            if events:
                deadline = _next_deadline(answer, deadline, silence)
            if answer.begun and not answer.done and (seconds := reading.answers * REST_PER_ANSWER) >= REST_LEAST:
                await body.gather(seconds)
        for event in _rest(answer, lines, beginning.whole):
            yield event
        _check_end(answer)
    except PROBLEMS as problem:
        raise translated(problem, begun=answer.begun) from None
    finally:
        reading.answers -= 1
    yield Finish(answer.finish or "stop")


class _Body:
    """An answer's body as it comes."""

    def __init__(self, response: httpx2.Response) -> None:
        # Compressed bodies go the long way, and all of them would if a new version hid the short one.
        is_compressed = "content-encoding" in response.headers
        self._answer = None if is_compressed else plain_answer(response)
        if not self._answer:
            self._packets = response.aiter_bytes() if is_compressed else response.aiter_raw()

    async def next(self) -> bytes:
        """What has come, or else comes next; nothing at the end. Raises TRANSPORT_ERRORS."""
        return await self._answer.content.readany() if self._answer else await anext(self._packets, b"")

    async def gather(self, seconds: float) -> None:
        """Wait, and let what arrives gather in the operating system meanwhile."""
        connection = self._answer and self._answer.connection
        transport = connection and cast(asyncio.Transport, connection.transport)
        if not transport or transport.is_closing():
            await asyncio.sleep(seconds)
            return
        transport.pause_reading()
        try:
            await asyncio.sleep(seconds)
        finally:
            # One that was closed meanwhile says so; the next read tells what became of it.
            with contextlib.suppress(RuntimeError):
                transport.resume_reading()


class _Beginning:
    """Looks at a body's first bytes: a stream passes, JSON is collected as `whole`, a web page is refused."""

    def __init__(self) -> None:
        self.whole = b""
        self._kind = ""

    def streamed(self, packet: bytes) -> bytes:
        """Return what of the packets so far belongs to a stream of events. Raises ProtocolError."""
        if self._kind == "stream":
            return packet
        self.whole += packet
        self._kind = looks_like(self.whole)
        if self._kind == "html" or len(self.whole) > EVENT_MAX_BYTES:
            raise ProtocolError(f"an answer that begins with {self.whole[:300]!r}")
        if self._kind != "stream":
            return b""
        packet, self.whole = self.whole, b""
        return packet


def _next_deadline(answer: Answer, deadline: float, silence: float) -> float:
    """Return the loop's time at which the next event must be there, now that one was."""
    now = asyncio.get_running_loop().time()
    if answer.done:
        return min(deadline, now + AFTER_DONE_SECONDS)
    if answer.finish:
        return min(deadline, now + AFTER_FINISH_SECONDS)
    return now + silence if answer.begun else deadline


async def _next(body: _Body, answer: Answer, deadline: float) -> bytes:
    """Return the next bytes, or none at the end; once the text is whole, a failing connection is an end too."""
    try:
        async with asyncio.timeout_at(deadline):
            return await body.next()
    except TRANSPORT_ERRORS as failure:
        if answer.finish or answer.done:
            return b""
        if isinstance(failure, TimeoutError):
            raise errors.ProviderTimeout("silent in mid-answer" if answer.begun else "no text in time") from None
        raise


def _rest(answer: Answer, lines: EventStream, whole: bytes) -> Iterator[Event]:
    """Yield what is known only once the body is over: an answer in one JSON object, a last line without its end."""
    if whole.strip():
        yield from answer.whole(whole)
    try:
        yield from answer.chunks(lines.close())
    except ProtocolError:
        if not answer.finish and not answer.done:
            raise
    yield from answer.close()


def _check_end(answer: Answer) -> None:
    """Raise when the body's end is not the answer's end."""
    reason = answer.finish.lower()
    if reason in FILTERED:
        raise errors.ContentFiltered(f"finish_reason {reason}")
    if reason in BROKEN:
        raise errors.ProviderUnavailable(f"finish_reason {reason}")
    if not answer.begun and answer.finish in {"", "stop"}:
        empty = errors.ProviderProtocol("an answer without any text")
        empty.is_empty = True
        raise empty
    if not answer.finish and answer.unknown:
        raise errors.ProviderBrokeOff(f"the stream ended without finish_reason after an object with {answer.unknown}")
    if not answer.finish and not answer.done:
        raise errors.ProviderBrokeOff("the stream ended without finish_reason and [DONE]")


def translated(problem: BaseException, *, begun: bool) -> LLMError:
    """Return the error to raise for one of PROBLEMS; `begun` says whether the person has seen a part of the answer."""
    if isinstance(problem, LLMError):
        error = problem
    elif isinstance(problem, SentError):
        error = errors.from_response(0, problem.body, {})
    elif isinstance(problem, ProtocolError):
        error = errors.ProviderProtocol(str(problem))
    else:
        error = _network_error(problem)
    interrupted = (
        errors.ProviderAddress,
        errors.ProviderBlocked,
        errors.ProviderInstructions,
        errors.ProviderKey,
        errors.ProviderModel,
        errors.ProviderProtocol,
        errors.ProviderRefused,
        errors.ProviderUnavailable,
        errors.ProviderUnreachable,
    )
    if begun and isinstance(error, interrupted):
        return errors.ProviderBrokeOff(error.detail, upstream=error.upstream)
    return error


def _network_error(problem: BaseException) -> LLMError:
    """Return the error for a failing connection. The transport renames errors, so the whole chain of causes is read."""
    chain = [problem]
    while cause := chain[-1].__cause__:
        chain.append(cause)

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    detail = " < ".join(f"{type(link).__name__}: {link}" for link in reversed(chain))
    if has(aiohttp.ConnectionTimeoutError):
        return errors.ProviderUnreachable(detail)
    if has(TimeoutError):
        return errors.ProviderTimeout(detail)
    if has(aiohttp.ClientResponseError, httpx2.DecodingError):
        return errors.ProviderProtocol(detail)
    # Neither a wrong certificate nor a wrong address heals in a second.
    lasting = has(ssl.SSLError, ssl.CertificateError, aiohttp.InvalidURL, httpx2.UnsupportedProtocol)
    return errors.ProviderUnreachable(detail, retryable=not lasting)
