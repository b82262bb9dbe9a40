"""The load client: asyncio protocols that read no more of a response than they need for its times.

Times are `time.perf_counter()` seconds; those of a reply count from the moment before its connection is opened.
"""

import asyncio
import re
import time
import zlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import cast

from benchmarks.people import Person

STREAM_PATH = re.compile(rb'data-stream="([^"]+)"')
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
TAGS = re.compile(rb"<[^>]*>")
END_EVENT = b"event: end\n"
EVENT_END = b"\n\n"
BODY = b"\r\n\r\n"
OVERLAP = 32
"""Bytes kept of earlier data, to find a mark that is split over two packets."""

TIMEOUT_SECONDS = 120.0


class Failed(Exception):
    """The reply did not come as expected; the text says why."""


@dataclass(slots=True)
class Times:
    """Times of one reply's events, in seconds from its start."""

    answered: float = 0.0
    """Time of the POST's response; 0 for a direct client."""
    first: float = 0.0
    """Time of the reply's first text."""
    last: float = 0.0
    """Time of the reply's end."""
    ended_at: float = 0.0
    """The reply's end as `time.perf_counter()`."""
    failure: str = ""


class Exchange(asyncio.Protocol):
    """One connection that requests one reply; `over` is done at its end, or raises `Failed`."""

    transport: asyncio.Transport

    def __init__(self, request: bytes) -> None:
        self.times = Times()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._received = b""
        self._started = time.perf_counter()
        self._take: Callable[[bytes], None] = self._begin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request on the new connection."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Process the received data; a failure ends the exchange."""
        try:
            self._take(data)
        except Failed as failure:
            self.fail(str(failure))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail, because the server has closed the connection too early."""
        self.fail(f"the connection ended after {self._received[-80:]!r}")

    def fail(self, reason: str) -> None:
        """End the exchange with this failure."""
        if not self.over.done():
            self.times.failure = reason
            self.over.set_result(None)
            self.transport.close()

    def check(self) -> None:
        """Fail unless everything came; call it outside the measured time."""

    def since_start(self) -> float:
        """Seconds since the request for the reply."""
        return time.perf_counter() - self._started

    def finish(self) -> None:
        """Record the reply's end, and close the connection."""
        self.times.ended_at = time.perf_counter()
        self.times.last = self.times.ended_at - self._started
        if not self.over.done():
            self.over.set_result(None)
        self.transport.close()

    def _begin(self, data: bytes) -> None:
        raise NotImplementedError


class Direct(Exchange):
    """Requests a reply from the provider itself, as the server would."""

    def _begin(self, data: bytes) -> None:
        self._received += data
        if b'"content":"' in self._received:
            self.times.first = self.since_start()
            self._take = self._go_on
            self._go_on(b"")

    def _go_on(self, data: bytes) -> None:
        seen = self._received[-OVERLAP:] + data
        self._received = seen
        if b"data: [DONE]" in seen:
            self.finish()


class Turn(Exchange):
    """Sends a person's turn, then reads the stream named in the response up to its `end` event, as the page does."""

    def __init__(self, person: Person, message: str, *, port: int, words: bytes) -> None:
        super().__init__(person.post("/", message, port=port))
        self._person = person
        self._port = port
        self._words = words
        self._first_word = words.split()[0]

    def check(self) -> None:
        """Fail unless the final message contains the whole reply; call it outside the measured time."""
        if not self.times.failure and self._words not in b" ".join(TAGS.sub(b" ", self._received).split()):
            self.times.failure = f"the end holds another text: {self._received[:300]!r}"

    def _begin(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(BODY)
        if not separator:
            return
        length = LENGTH.search(head)
        if not head.startswith(b"HTTP/1.1 200") or length is None:
            raise Failed(f"the turn was answered with {self._received[:300]!r}")
        if len(body) < int(length[1]):
            return
        page = zlib.decompress(body, wbits=31) if b"content-encoding: gzip" in head.lower() else body
        path = STREAM_PATH.search(page)
        if path is None:
            raise Failed("the turn's answer names no stream")
        self.times.answered = self.since_start()
        self._received = b""
        self._take = self._until_first
        self.transport.write(self._person.get_stream(path[1].decode(), port=self._port))

    def _until_first(self, data: bytes) -> None:
        self._received += data
        head, _, body = self._received.partition(BODY)
        if not head.startswith(b"HTTP/1.1 200"[: len(head)]):
            raise Failed(f"the stream was answered with {self._received[:300]!r}")
        if self._first_word in TAGS.sub(b"", body):
            self.times.first = self.since_start()
            self._take = self._until_end
            self._until_end(b"")

    def _until_end(self, data: bytes) -> None:
        seen = self._received[-OVERLAP:] + data if data else self._received
        self._received = seen
        if (begin := seen.find(END_EVENT)) >= 0:
            self._received = seen[begin:]
            self._take = self._in_end
            self._in_end(b"")

    def _in_end(self, data: bytes) -> None:
        self._received += data
        if EVENT_END in self._received:
            self.finish()


class Held(Turn):
    """A turn whose stream stays open after its first text."""

    @property
    def is_open(self) -> bool:
        """Whether the stream is open and has brought text."""
        return bool(self.times.first) and not self.transport.is_closing()

    def _until_end(self, data: bytes) -> None:
        if not self.over.done():
            self.over.set_result(None)


async def play(make: Callable[[], Exchange], port: int) -> Times:
    """Run one exchange on a new connection; returns its times."""
    loop = asyncio.get_running_loop()
    exchange = make()
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await loop.create_connection(lambda: exchange, "127.0.0.1", port)
            await exchange.over
    except TimeoutError:
        exchange.times.failure = f"nothing more within {TIMEOUT_SECONDS:g} s"
        exchange.transport.abort()
    except OSError as error:
        exchange.times.failure = str(error)
    exchange.check()
    return exchange.times


async def at_once(asks: list[Callable[[], Coroutine[None, None, Times]]], *, spread: float) -> list[Times]:
    """Run all exchanges, with their starts spread evenly over `spread` seconds."""
    loop = asyncio.get_running_loop()
    begin = loop.time()

    async def one(number: int, ask: Callable[[], Coroutine[None, None, Times]]) -> Times:
        await asyncio.sleep(begin + number * spread / len(asks) - loop.time())
        return await ask()

    return await asyncio.gather(*(one(number, ask) for number, ask in enumerate(asks)))
