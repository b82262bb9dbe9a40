"""A reply as server-sent events: the only place that makes a streaming response.

Events, each with HTML as its data: `reply`, the whole reply as it stands, first on every connection and again when a
new maker begins or a thought does; `thought`, what to append to the thought; `thought-title`, how long it took;
`blocks`, finished blocks to append; `tail`, the block that still grows; `end`, the final message.
"""

import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Protocol
from uuid import UUID
from weakref import WeakKeyDictionary

from django.conf import settings
from django.http import StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.safestring import SafeString

from conversations import replies
from conversations.engine import ReplyEngine
from conversations.live import LiveReply
from conversations.markdown import BlockStream
from conversations.thoughts import NOTHING, Thought
from conversations.threads import DATABASE_AWAY

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

SESSION_INTERVAL = 15.0
"""Seconds after which a stream looks again whether its viewer is still signed in."""

KEEP_ALIVE = b": still here\n\n"
RECONNECT = b"retry: 1000\n\n"


_open: Counter[UUID] = Counter()
"""Streams of this process by person."""


def has_too_many(person: UUID) -> bool:
    """Whether the person has as many streams open in this process as one may have."""
    return _open[person] >= settings.CHAT_STREAMS_PER_USER


def open_streams() -> int:
    """How many event streams this process has open. For any thread."""
    return _open.total()


def response(
    message_id: UUID, *, person: UUID, end: Callable[[], str], is_welcome: Callable[[], bool]
) -> StreamingHttpResponse:
    """Stream the reply to the page until it has ended, or until its viewer is no longer welcome.

    `end` renders the final event's HTML; both may use the database.
    """
    frames = events(message_id, viewer=Viewer(), end=lambda: event("end", end()), is_welcome=is_welcome)
    return sent(person, frames)


def sent(person: UUID, frames: AsyncGenerator[bytes]) -> StreamingHttpResponse:
    """The frames as an event stream, which counts as one that the person has open."""
    return StreamingHttpResponse(
        counted(person, frames),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def counted(person: UUID, frames: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same frames, as one open stream of the person."""
    with watching(person):
        async with aclosing(frames):
            async for frame in frames:
                yield frame


@contextmanager
def watching(person: UUID) -> Iterator[None]:
    """Count as one open stream of the person."""
    _open[person] += 1
    try:
        yield
    finally:
        _open[person] -= 1
        if not _open[person]:
            del _open[person]


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
    engine = replies.engine()
    ended = False
    late = 0.0
    asked = time.perf_counter()
    try:
        async with aclosing(engine.watch(message_id)) as changes:
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
                if reply.text or reply.thought.text:
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


class Rendering:
    """The HTML of a reply that grows, made once for all its viewers."""

    def __init__(self) -> None:
        self.finished: list[str] = []
        self.tail = ""
        self._blocks = BlockStream()
        self._length = 0

    @property
    def open_size(self) -> int:
        """Characters of the block that still grows."""
        return self._blocks.open_size

    def grow(self, text: str) -> None:
        """Render what `text` has more than the last time."""
        if len(text) == self._length:
            return
        self._blocks.append(text[self._length :])
        self._length = len(text)
        blocks = self._blocks.take()
        if blocks.finished:
            self.finished.append(blocks.finished)
        self.tail = blocks.open


_renderings: WeakKeyDictionary[LiveReply, tuple[int, Rendering]] = WeakKeyDictionary()


def rendering(reply: LiveReply) -> Rendering:
    """The reply's HTML as of now; a new one when a new maker has begun."""
    restarts, shared = _renderings.get(reply, (-1, None))
    if shared is None or restarts != reply.restarts:
        shared = Rendering()
        _renderings[reply] = reply.restarts, shared
    shared.grow(reply.text)
    return shared


class Viewer:
    """What one connection has been sent of a reply."""

    opening = RECONNECT

    def __init__(self) -> None:
        self._rendering: Rendering | None = None
        self._finished = 0
        self._tail = ""
        self._thought = NOTHING

    def frame(self, reply: LiveReply) -> bytes:
        """The events that bring the viewer to where the reply is."""
        current = rendering(reply)
        # A thought that begins needs its place: the reply is sent whole, which then is next to nothing.
        is_new = current is not self._rendering or (reply.thought.text != "" and not self._thought.text)
        is_same_tail = current.tail == self._tail
        finished = "".join(current.finished[0 if is_new else self._finished :])
        self._rendering, self._finished, self._tail = current, len(current.finished), current.tail
        if is_new:
            self._thought = reply.thought
            return event("reply", render_reply(finished, current.tail, reply.thought))
        thought = self._think(reply.thought)
        if not finished and is_same_tail:
            return thought or KEEP_ALIVE
        return thought + (event("blocks", finished) if finished else b"") + event("tail", current.tail)

    def _think(self, thought: Thought) -> bytes:
        """The events that bring the viewer to where the thought is."""
        sent, self._thought = self._thought, thought
        if thought is sent:
            return b""
        more = thought.text[len(sent.text) :]
        frame = event("thought", escape(more)) if more else b""
        return frame if thought.title == sent.title else frame + event("thought-title", thought.title)

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


def render_reply(finished: str, tail: str, thought: Thought) -> str:
    """The inside of a reply that is still being made."""
    context = {"finished": SafeString(finished), "tail": SafeString(tail), "thought": thought}
    return render_to_string("conversations/_reply.html", context)


def event(name: str, data: str) -> bytes:
    """One server-sent event. Only line feeds and carriage returns end a line in this format."""
    lines = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return f"event: {name}\n{''.join(f'data: {line}\n' for line in lines)}\n".encode()
