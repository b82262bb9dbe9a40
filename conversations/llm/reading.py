"""Reading a provider's answer from the network within time limits, and translating connection failures."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import cast

import aiohttp
import httpx2

from chatbot.core.process import Part
from conversations.errors import providers
from conversations.errors.providers import LLMError
from conversations.llm import errors
from conversations.llm.events import Event, Finish
from conversations.llm.protocol import Answer, SentError
from conversations.llm.sse import EVENT_MAX_BYTES, EventStream, ProtocolError, looks_like
from conversations.llm.transport import plain_answer

AFTER_FINISH_SECONDS = 5.0
"""Seconds that the token counts and the end of the stream may take once the text is complete."""

AFTER_DONE_SECONDS = 0.25
"""Seconds that the body's end may take after `[DONE]`; only a body read to its end lets its connection be reused."""

REST_PER_ANSWER = 0.000_75
"""Seconds to wait between two reads of an answer, per answer that the process is reading.

Data that arrives meanwhile is read at once: waking up costs as much as reading ten tokens.
"""

REST_LEAST = 0.01
"""Seconds below which there is no wait: with up to a dozen answers, each token is read as it comes."""

FILTERED = frozenset({"content_filter", "safety", "sensitive", "prohibited_content", "blocklist", "recitation"})
"""Finish reasons by which providers say that they withheld an answer."""

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
"""Finish reasons by which providers say that they could not continue."""

# aiohttp's own errors pass through the client's transport where it has no translation for them.
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
    before. Comments that only keep the connection alive do not count.
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
    """The body of a response, read as it arrives."""

    def __init__(self, response: httpx2.Response) -> None:
        # Compressed bodies go the long way, and all of them would if a new version hid the short one.
        is_compressed = "content-encoding" in response.headers
        self._answer = None if is_compressed else plain_answer(response)
        if not self._answer:
            self._packets = response.aiter_bytes() if is_compressed else response.aiter_raw()

    async def next(self) -> bytes:
        """The bytes that have arrived, else the next ones; empty at the end. Raises TRANSPORT_ERRORS."""
        return await self._answer.content.readany() if self._answer else await anext(self._packets, b"")

    async def gather(self, seconds: float) -> None:
        """Pause reading for `seconds`, while arriving data is buffered by the operating system."""
        connection = self._answer and self._answer.connection
        transport = connection and cast(asyncio.Transport, connection.transport)
        if not transport or transport.is_closing():
            await asyncio.sleep(seconds)
            return
        transport.pause_reading()
        try:
            await asyncio.sleep(seconds)
        finally:
            # A transport that was closed meanwhile raises this; the next read reports what happened to it.
            with contextlib.suppress(RuntimeError):
                transport.resume_reading()


class _Beginning:
    """Looks at a body's first bytes: a stream passes, JSON is collected in `whole`, a web page is refused."""

    def __init__(self) -> None:
        self.whole = b""
        self._kind = ""

    def streamed(self, packet: bytes) -> bytes:
        """Return the part of the packets so far that belongs to an event stream. Raises ProtocolError."""
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
    """The loop's time by which the next event must arrive, counted from now."""
    now = asyncio.get_running_loop().time()
    if answer.done:
        return min(deadline, now + AFTER_DONE_SECONDS)
    if answer.finish:
        return min(deadline, now + AFTER_FINISH_SECONDS)
    return now + silence if answer.begun else deadline


async def _next(body: _Body, answer: Answer, deadline: float) -> bytes:
    """Return the next bytes, empty at the end; once the text is complete, a failing connection counts as the end."""
    try:
        async with asyncio.timeout_at(deadline):
            return await body.next()
    except TRANSPORT_ERRORS as failure:
        if answer.finish or answer.done:
            return b""
        if isinstance(failure, TimeoutError):
            raise providers.ProviderTimeout("silent in mid-answer" if answer.begun else "no text in time") from None
        raise


def _rest(answer: Answer, lines: EventStream, whole: bytes) -> Iterator[Event]:
    """Yield events that are known only at the body's end: an answer as one JSON object, an unterminated last line."""
    if whole.strip():
        yield from answer.whole(whole)
    try:
        yield from answer.chunks(lines.close())
    except ProtocolError:
        if not answer.finish and not answer.done:
            raise
    yield from answer.close()


def _check_end(answer: Answer) -> None:
    """Raise LLMError when the body ended before the answer did."""
    reason = answer.finish.lower()
    if reason in FILTERED:
        raise providers.ContentFiltered(f"finish_reason {reason}")
    if reason in BROKEN:
        raise providers.ProviderUnavailable(f"finish_reason {reason}")
    if not answer.begun and answer.finish in {"", "stop"}:
        empty = providers.ProviderProtocol("an answer without any text")
        empty.is_empty = True
        raise empty
    if not answer.finish and answer.unknown:
        detail = f"the stream ended without finish_reason after an object with {answer.unknown}"
        raise providers.ProviderBrokeOff(detail)
    if not answer.finish and not answer.done:
        raise providers.ProviderBrokeOff("the stream ended without finish_reason and [DONE]")


def translated(problem: BaseException, *, begun: bool) -> LLMError:
    """The error to raise for one of PROBLEMS; `begun` tells whether the person has seen a part of the answer."""
    if isinstance(problem, LLMError):
        error = problem
    elif isinstance(problem, SentError):
        error = errors.from_response(0, problem.body, {})
    elif isinstance(problem, ProtocolError):
        error = providers.ProviderProtocol(str(problem))
    else:
        error = _network_error(problem)
    interrupted = (
        providers.ProviderAddress,
        providers.ProviderBlocked,
        providers.ProviderInstructions,
        providers.ProviderKey,
        providers.ProviderModel,
        providers.ProviderProtocol,
        providers.ProviderRefused,
        providers.ProviderUnavailable,
        providers.ProviderUnreachable,
    )
    if begun and isinstance(error, interrupted):
        return providers.ProviderBrokeOff(error.detail, upstream=error.upstream)
    return error


def _network_error(problem: BaseException) -> LLMError:
    """The error for a failing connection. Reads the whole chain of causes, because the transport wraps errors."""
    chain = [problem]
    while cause := chain[-1].__cause__:
        chain.append(cause)

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    detail = " < ".join(f"{type(link).__name__}: {link}" for link in reversed(chain))
    if has(aiohttp.ConnectionTimeoutError):
        return providers.ProviderUnreachable(detail)
    if has(TimeoutError):
        return providers.ProviderTimeout(detail)
    if has(aiohttp.ClientResponseError, httpx2.DecodingError):
        return providers.ProviderProtocol(detail)
    # A wrong certificate or address does not become right within seconds.
    lasting = has(ssl.SSLError, ssl.CertificateError, aiohttp.InvalidURL, httpx2.UnsupportedProtocol)
    return providers.ProviderUnreachable(detail, retryable=not lasting)
