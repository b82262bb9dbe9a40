"""A reply as server-sent events: the only place that makes a streaming response.

Events, each with HTML as its data: `reply`, the whole reply as it stands, first on every connection and again when a
new worker begins or reasoning does; `reasoning`, what to append to the reasoning; `reasoning-title`, how long it took;
`blocks`, finished blocks to append; `tail`, the block that still grows, which is empty after these; `tail-end`, how
many of its UTF-16 units stay as they were sent, and what follows them; `end`, the final message.

What is sent is never much more than the text: where a growing block would have to be sent again too often, it waits
until there is more of it.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID
from weakref import WeakKeyDictionary

from django.conf import settings
from django.http import StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.safestring import SafeString

from chatbot.core.process import Part
from chatbot.core.threads import DATABASE_AWAY
from conversations.markdown.rendering import BlockStream
from conversations.models.reasoning import NOTHING, Reasoning
from conversations.replies import dispatch
from conversations.replies.engine import ReplyEngine
from conversations.replies.live import LiveReply

logger = logging.getLogger(__name__)

FRAME_INTERVAL = 0.04
"""Seconds between two frames of one viewer, at least."""

FRAME_INTERVAL_MAX = 1.0
FRAMES_PER_SECOND = 1_000
"""Frames that one process writes in a second, at most, to all its viewers."""

FRAME_COST_FACTOR = 10
"""A frame that took t seconds to write is followed by a pause of at least this many times t."""

LATENESS_FACTOR = 4
"""A viewer who was woken t seconds late waits this many times t: a busy process sends fewer frames, not later ones."""

OPEN_CHARACTERS_PER_SECOND = 200_000
"""The open block is sent again in each frame; a long one is sent less often, to bound what is sent in a second."""

SESSION_INTERVAL = 12.0
"""Seconds after which a stream looks again whether its viewer is still signed in: it has to end within 15."""

PATIENCE_LEAST = 1.0
"""Seconds that a stream waits at least for a change of a reply before it looks."""

SENT_RATIO, SENT_FREE = 20, 8_000
"""Bytes that may be sent for each byte of the text, and beside these before the end, which is sent whatever it is."""

SAVED_MIN = 100
"""Characters of the open block that need not be sent again before only its end is sent."""

LAST_FEW = 16
"""Characters at the end of the open block in which it mostly changes."""

LONG = 2_000
"""Characters that are rendered in a thread: what takes longer than a millisecond holds nobody up."""

KEEP_ALIVE = b": still here\n\n"
RECONNECT = b"retry: 1000\n\n"


_open = Part(Counter[UUID])
"""Streams of this process by person."""


def has_too_many(user_id: UUID) -> bool:
    """Whether the person has as many streams open in this process as one may have."""
    return _open()[user_id] >= settings.CHAT_STREAMS_PER_USER


def open_streams() -> int:
    """How many event streams this process has open. For any thread."""
    return _open().total()


def response(
    message_id: UUID, *, user_id: UUID, end: Callable[[], str], is_welcome: Callable[[], bool]
) -> StreamingHttpResponse:
    """Stream the reply to the page until it has ended, or until its viewer is no longer welcome.

    `end` renders the final event's HTML; both may use the database.
    """
    frames = events(message_id, viewer=Viewer(), end=lambda: event("end", end()), is_welcome=is_welcome)
    return sent(user_id, frames)


class Closing:
    """Frames, and what ends their making though nobody ever asked for the first."""

    def __init__(self, frames: AsyncGenerator[bytes], close: Callable[[], None]) -> None:
        self._frames = frames
        self.close = close

    def __aiter__(self) -> AsyncGenerator[bytes]:
        return self._frames


def sent(
    user_id: UUID, frames: AsyncGenerator[bytes], *, close: Callable[[], None] | None = None
) -> StreamingHttpResponse:
    """The frames as an event stream, which counts as one that the person has open; `close` is called when the response
    is closed."""
    counting = counted(user_id, frames)
    return StreamingHttpResponse(
        Closing(counting, close) if close else counting,
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def counted(user_id: UUID, frames: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same frames, as one open stream of the person."""
    with watching(user_id):
        async with aclosing(frames):
            async for frame in frames:
                yield frame


@contextmanager
def watching(user_id: UUID) -> Iterator[None]:
    """Count as one open stream of the person."""
    counts = _open()
    counts[user_id] += 1
    try:
        yield
    finally:
        counts[user_id] -= 1
        if not counts[user_id]:
            del counts[user_id]


class Frames(Protocol):
    """What one connection has been sent of a reply, in whatever format."""

    opening: bytes
    """What is sent at once."""

    def frame(self, reply: LiveReply) -> bytes:
        """The events that bring the viewer to where the reply is."""

    def pause(self, cost: float, late: float, viewers: int) -> float:
        """Seconds to wait after a frame; see `Viewer.pause`."""


async def events(
    message_id: UUID, *, viewer: Frames, end: Callable[[], bytes], is_welcome: Callable[[], bool]
) -> AsyncGenerator[bytes]:
    """The frames of one viewer; `end` makes the last one. Ends without that when this process shuts down, when its
    database is away, or when the viewer has signed out: who is welcome reconnects."""
    yield viewer.opening
    engine = dispatch.engine()
    ended = False
    late = 0.0
    asked = time.perf_counter()

    def patience() -> float:
        return max(PATIENCE_LEAST, asked + SESSION_INTERVAL - time.perf_counter())

    try:
        async with aclosing(engine.watch(message_id, patience=patience)) as changes:
            async for reply in changes:
                if reply.ended:
                    ended = True
                    break
                begun = time.perf_counter()
                if begun - asked >= SESSION_INTERVAL:
                    asked = begun
                    if not await may_stay(engine, is_welcome):
                        return
                yield viewer.frame(reply)
                sent = time.perf_counter()
                # The first words are waited for, and so is the end.
                if reply.text or reply.reasoning.text:
                    pause = viewer.pause(sent - begun, late, engine.viewers)
                    await reply.rest(pause)
                    late = 0.0 if reply.ended else time.perf_counter() - sent - pause
        if ended:
            yield await engine.database(end)
    except DATABASE_AWAY as error:
        logger.warning("A viewer of reply %s has to connect again: %s", message_id, error)


async def may_stay(engine: ReplyEngine, is_welcome: Callable[[], bool]) -> bool:
    """Whether the viewer may see more. A database that is away sends nobody away."""
    with suppress(*DATABASE_AWAY):
        return await engine.database(is_welcome)
    return True


_thread = Part(lambda: ThreadPoolExecutor(1, thread_name_prefix="rendering"))
"""One for all replies, so that they never take more of the process than one core's share."""


@dataclass(frozen=True, slots=True)
class Grown:
    """What rendering more of a reply has made."""

    begin: int
    """The number of the first block that is new, or has changed."""
    finished: list[str]
    revision: int
    tail: str
    size: int
    """Bytes of the text."""


class Rendering:
    """The HTML of a reply that grows, made once for all its viewers."""

    def __init__(self, key: UUID) -> None:
        self.finished: list[str] = []
        self.finished_size = 0
        """Bytes of these."""
        self.revision = 0
        """Grows when what was finished has changed."""
        self.tail = ""
        self.text_size = 0
        """Bytes of the text that they show."""
        self._blocks = BlockStream(key=key)
        self._length = 0
        self._is_busy = False

    @property
    def open_size(self) -> int:
        """Characters of the block that still grows."""
        return self._blocks.open_size

    def grow(self, reply: LiveReply) -> None:
        """Render what the reply has more than the last time; wakes its viewers later when that is long."""
        if self._is_busy or len(reply.text) == self._length:
            return
        more = reply.text[self._length :]
        self._length = len(reply.text)
        if len(more) + self.open_size <= LONG:
            self._take(self._grown(more))
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            # Nobody is held up.
            self._take(self._grown(more))
            return
        self._is_busy = True
        _thread().submit(self._grown, more).add_done_callback(
            lambda done: loop.call_soon_threadsafe(self._come_back, reply, done)
        )

    def _grown(self, more: str) -> Grown:
        self._blocks.append(more)
        blocks = self._blocks.take()
        revision, begin = self._blocks.revision, len(self.finished)
        begin = begin if revision == self.revision else 0
        finished = [_lines(piece) for piece in self._blocks.pieces[begin:]]
        return Grown(begin, finished, revision, _lines(blocks.open), len(more.encode(errors="replace")))

    def _come_back(self, reply: LiveReply, done: "Future[Grown]") -> None:
        self._is_busy = False
        self._take(done.result())
        reply.wake()

    def _take(self, grown: Grown) -> None:
        if not grown.begin:
            self.finished_size = 0
        self.finished[grown.begin :] = grown.finished
        self.finished_size += sum(len(piece.encode()) for piece in grown.finished)
        self.revision = grown.revision
        self.tail = grown.tail
        self.text_size += grown.size


_renderings = Part(WeakKeyDictionary[LiveReply, tuple[int, Rendering]])


def rendering(reply: LiveReply) -> Rendering:
    """The reply's HTML as of now; a new one when a new worker has begun."""
    renderings = _renderings()
    restarts, shared = renderings.get(reply, (-1, None))
    if shared is None or restarts != reply.restarts:
        shared = Rendering(reply.message_id)
        renderings[reply] = reply.restarts, shared
    shared.grow(reply)
    return shared


class Viewer:
    """What one connection has been sent of a reply."""

    opening = RECONNECT

    def __init__(self) -> None:
        self._rendering: Rendering | None = None
        self._revision = 0
        self._finished = 0
        self._tail = ""
        self._known_tail = ""
        """What the viewer can be sent the end of: nothing when the open block came in another event than its own."""
        self._reasoning = NOTHING
        self._sent = 0
        self._said = 0
        """Bytes of the texts that came before this one, and of the reasoning."""

    def frame(self, reply: LiveReply) -> bytes:
        """The events that bring the viewer to where the reply is."""
        frame = self._frame(reply)
        self._sent += len(frame)
        return frame

    def _frame(self, reply: LiveReply) -> bytes:
        current = rendering(reply)
        # reasoning that begins needs its place: the reply is sent whole, which then is next to nothing.
        is_other = current is not self._rendering
        if self._rendering is not None and is_other:
            self._said += self._rendering.text_size
        is_revised = current.revision != self._revision and self._affords(current, current.finished_size)
        is_new = is_other or is_revised or (reply.reasoning.text != "" and not self._reasoning.text)
        finished = "".join(current.finished[0 if is_new else self._finished :])
        self._rendering, self._finished = current, len(current.finished)
        if is_new:
            self._think(reply.reasoning)
            self._tail, self._known_tail, self._revision = current.tail, "", current.revision
            return event("reply", render_reply(finished, current.tail, reply.reasoning))
        reasoning = self._think(reply.reasoning)
        if finished:
            self._tail = self._known_tail = ""
        return (reasoning + (event("blocks", finished) if finished else b"") + self._grow(current)) or KEEP_ALIVE

    def _grow(self, current: Rendering) -> bytes:
        """The event that makes the open block what it is; none while it would cost too much."""
        if current.tail == self._tail:
            return b""
        known, tail = self._known_tail, current.tail
        same = common_length(known, tail)
        frame = event("tail-end", f"{utf16_length(tail[:same])} {tail[same:]}") if same > SAVED_MIN else b""
        frame = frame or event("tail", tail)
        if not self._affords(current, len(frame)):
            return b""
        self._tail = self._known_tail = tail
        return frame

    def _affords(self, current: Rendering, size: int) -> bool:
        """Whether so many bytes may be sent now: the open block comes again when it is finished, and all at the end."""
        to_come = current.finished_size + 2 * len(current.tail.encode())
        return self._sent + size + to_come <= SENT_RATIO * (self._said + current.text_size) + SENT_FREE

    def _think(self, reasoning: Reasoning) -> bytes:
        """The events that bring the viewer to where the reasoning is."""
        sent, self._reasoning = self._reasoning, reasoning
        if reasoning is sent:
            return b""
        more = reasoning.text[len(sent.text) :]
        self._said += len(more.encode(errors="replace"))
        frame = event("reasoning", escape(more)) if more else b""
        return frame if reasoning.title == sent.title else frame + event("reasoning-title", reasoning.title)

    def pause(self, cost: float, late: float = 0.0, viewers: int = 1) -> float:
        """Seconds to wait after a frame that took `cost` seconds; the wait before it ended `late` seconds late.

        `viewers` are all those of the process.
        """
        size = self._rendering.open_size if self._rendering else 0
        return pause(cost, late, viewers, size=size)


def pause(cost: float, late: float, viewers: int, *, size: int = 0) -> float:
    """The same for a frame that sends `size` characters again."""
    shares = (
        viewers / FRAMES_PER_SECOND,
        cost * FRAME_COST_FACTOR,
        late * LATENESS_FACTOR,
        size / OPEN_CHARACTERS_PER_SECOND,
    )
    return min(max(FRAME_INTERVAL, *shares), FRAME_INTERVAL_MAX)


def render_reply(finished: str, tail: str, reasoning: Reasoning) -> str:
    """The inside of a reply that is still being made."""
    context = {"finished": SafeString(finished), "tail": SafeString(tail), "reasoning": reasoning}
    return render_to_string("conversations/messages/_reply.html", context)


def event(name: str, data: str) -> bytes:
    """One server-sent event. Only line feeds and carriage returns end a line in this format."""
    return f"event: {name}\ndata: {_lines(data).replace('\n', '\ndata: ')}\n\n".encode()


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def common_length(one: str, other: str) -> int:
    """How many characters both texts begin with."""
    low, high = 0, min(len(one), len(other))
    if high > LAST_FEW and other.startswith(one[: high - LAST_FEW]):
        low = high - LAST_FEW
    while low < high:
        middle = (low + high + 1) // 2
        if one.startswith(other[low:middle], low):
            low = middle
        else:
            high = middle - 1
    return low


def utf16_length(text: str) -> int:
    """The text's length as browsers count it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
