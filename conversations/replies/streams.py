"""A reply as server-sent events: the only place that makes a streaming response.

Events, each with HTML as its data: `reply`, the whole reply so far, first on every connection and again when a new
worker, reasoning or a new round begins; `reasoning`, text to append to the reasoning; `reasoning-title`, its duration;
`blocks`, finished blocks to append; `tail`, the open block, which is empty after new blocks; `tail-end`, how many of
its UTF-16 units are unchanged, and what follows them; `step`, a tool call as it stands; `end`, the final message. The
bytes sent are bounded by a multiple of the text: an open block that would have to be sent again too often waits until
it has grown.
"""

import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.http import StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.safestring import SafeString

from chatbot.core.process import Part
from chatbot.core.threads import DATABASE_AWAY
from conversations.models.reasoning import NOTHING, Reasoning
from conversations.models.steps import Step
from conversations.replies import dispatch, step_html
from conversations.replies.engine import ReplyEngine
from conversations.replies.live import LiveReply
from conversations.replies.rendering import Rendering, lines, rendering

logger = logging.getLogger(__name__)

FRAME_INTERVAL = 0.04
"""Least seconds between two frames of one viewer."""

FRAME_INTERVAL_MAX = 1.0
FRAMES_PER_SECOND = 1_000
"""Most frames that one process writes in a second, to all its viewers."""

FRAME_COST_FACTOR = 10
"""A frame that took t seconds to write is followed by a pause of at least this many times t."""

LATENESS_FACTOR = 4
"""A viewer who was woken t seconds late waits this many times t: a busy process sends fewer frames, not later ones."""

OPEN_CHARACTERS_PER_SECOND = 200_000
"""Characters of the open block that are sent in a second at most: a long block is sent again less often."""

SESSION_INTERVAL = 12.0
"""Seconds after which a stream checks again that its viewer is signed in; it must end within 15 of a sign-out."""

PATIENCE_LEAST = 1.0
"""Least seconds that a stream waits for a change of a reply before it checks."""

SENT_RATIO, SENT_FREE = 20, 8_000
"""Bytes that may be sent per byte of the text, and an allowance; the `end` event is not limited."""

SAVED_MIN = 100
"""Unchanged characters of the open block from which only its new end is sent."""

LAST_FEW = 16
"""Characters at the end of the open block in which most changes occur."""

KEEP_ALIVE = b": still here\n\n"
RECONNECT = b"retry: 1000\n\n"


_open = Part(Counter[UUID])
"""Number of open streams of this process by person."""


def has_too_many(user_id: UUID) -> bool:
    """Whether the person has as many streams open in this process as one may have."""
    return _open()[user_id] >= settings.CHAT_STREAMS_PER_USER


def open_streams() -> int:
    """Number of event streams that this process has open. Safe in any thread."""
    return _open().total()


def response(
    message_id: UUID, *, user_id: UUID, end: Callable[[], str], is_welcome: Callable[[], bool]
) -> StreamingHttpResponse:
    """Stream the reply to the page until it has ended, or its viewer is no longer welcome.

    `end` renders the final event's HTML; `end` and `is_welcome` may use the database.
    """
    frames = events(message_id, viewer=Viewer(), end=lambda: event("end", end()), is_welcome=is_welcome)
    return sent(user_id, frames)


class Closing:
    """Frames with a function that ends their source even if no frame was requested."""

    def __init__(self, frames: AsyncGenerator[bytes], close: Callable[[], None]) -> None:
        self._frames = frames
        self.close = close

    def __aiter__(self) -> AsyncGenerator[bytes]:
        return self._frames


def sent(
    user_id: UUID, frames: AsyncGenerator[bytes], *, close: Callable[[], None] | None = None
) -> StreamingHttpResponse:
    """A response with the frames as an event stream, counted as one of the person's open streams.

    `close` is called when the response is closed.
    """
    counting = counted(user_id, frames)
    return StreamingHttpResponse(
        Closing(counting, close) if close else counting,
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def counted(user_id: UUID, frames: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The frames unchanged, counted as one open stream of the person meanwhile."""
    with watching(user_id):
        async with aclosing(frames):
            async for frame in frames:
                yield frame


@contextmanager
def watching(user_id: UUID) -> Iterator[None]:
    """Count one open stream of the person, for a `with` block."""
    counts = _open()
    counts[user_id] += 1
    try:
        yield
    finally:
        counts[user_id] -= 1
        if not counts[user_id]:
            del counts[user_id]


class Frames(Protocol):
    """What one connection has been sent of a reply, in any format."""

    opening: bytes
    """Bytes that are sent at once."""

    def frame(self, reply: LiveReply) -> bytes:
        """The events that bring the viewer up to date with the reply."""

    def pause(self, cost: float, late: float, viewers: int) -> float:
        """Seconds to wait after a frame; see `Viewer.pause`."""


async def events(
    message_id: UUID, *, viewer: Frames, end: Callable[[], bytes], is_welcome: Callable[[], bool]
) -> AsyncGenerator[bytes]:
    """The frames of one viewer; `end` makes the last one.

    Ends without that one when this process shuts down, the database is away, or the viewer has signed out: viewers that
    are welcome reconnect.
    """
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
                # There is no pause before the first text and before the end.
                if reply.text or reply.reasoning.text:
                    pause = viewer.pause(sent - begun, late, engine.viewers)
                    await reply.rest(pause)
                    late = 0.0 if reply.ended else time.perf_counter() - sent - pause
        if ended:
            yield await engine.database(end)
    except DATABASE_AWAY as error:
        logger.warning("A viewer of reply %s has to connect again: %s", message_id, error)


async def may_stay(engine: ReplyEngine, is_welcome: Callable[[], bool]) -> bool:
    """Whether the viewer may see more; True while the database is away."""
    with suppress(*DATABASE_AWAY):
        return await engine.database(is_welcome)
    return True


class Viewer:
    """What one connection has been sent of a reply, as HTML events."""

    opening = RECONNECT

    def __init__(self) -> None:
        self._rendering: Rendering | None = None
        self._revision = 0
        self._finished = 0
        self._tail = ""
        self._known_tail = ""
        """The open block as the viewer has it in its `tail`; empty when it came with another event."""
        self._reasoning = NOTHING
        self._closed = 0
        """Number of closed texts that were sent."""
        self._steps: tuple[Step, ...] = ()
        self._sent = 0
        self._said = 0
        """Bytes of earlier texts and of the reasoning."""

    def frame(self, reply: LiveReply) -> bytes:
        """The events that bring the viewer up to date with the reply."""
        frame = self._frame(reply)
        self._sent += len(frame)
        return frame

    def _frame(self, reply: LiveReply) -> bytes:
        current = rendering(reply)
        # New reasoning needs its place: the whole reply is sent, which is next to nothing then.
        is_other = current is not self._rendering
        if self._rendering is not None and is_other:
            self._said += self._rendering.text_size
        is_revised = current.revision != self._revision and self._affords(current, current.finished_size)
        is_new = is_other or is_revised or (reply.reasoning.text != "" and not self._reasoning.text)
        is_new = is_new or len(current.closed) != self._closed
        finished = "".join(current.finished[0 if is_new else self._finished :])
        self._rendering, self._finished = current, len(current.finished)
        if is_new:
            self._think(reply.reasoning)
            self._tail, self._known_tail, self._revision = current.tail, "", current.revision
            self._closed, self._steps = len(current.closed), current.steps
            return event("reply", render_reply(finished, current.tail, reply.reasoning, before=current.before))
        more = self._think(reply.reasoning) + self._act(current)
        if finished:
            self._tail = self._known_tail = ""
        return (more + (event("blocks", finished) if finished else b"") + self._grow(current)) or KEEP_ALIVE

    def _act(self, current: Rendering) -> bytes:
        """The events that bring the viewer up to date with the tool calls, each of which is sent as a whole."""
        if current.steps is self._steps:
            return b""
        known = {step.key: step for step in self._steps}
        self._steps = current.steps
        changed = [step for step in current.steps if known.get(step.key, step) != step]
        pieces = [step_html.one(step) for step in changed]
        self._said += sum(len(piece.encode()) for piece in pieces)
        return b"".join(event("step", piece) for piece in pieces)

    def _grow(self, current: Rendering) -> bytes:
        """The event that updates the open block; empty while it would cost too much."""
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
        """Whether `size` bytes may be sent now; the open block is sent again when finished, and all text at the end."""
        to_come = current.finished_size + 2 * len(current.tail.encode())
        return self._sent + size + to_come <= SENT_RATIO * (self._said + current.text_size) + SENT_FREE

    def _think(self, reasoning: Reasoning) -> bytes:
        """The events that bring the viewer up to date with the reasoning."""
        sent, self._reasoning = self._reasoning, reasoning
        if reasoning is sent:
            return b""
        more = reasoning.text[len(sent.text) :]
        self._said += len(more.encode(errors="replace"))
        frame = event("reasoning", escape(more)) if more else b""
        return frame if reasoning.title == sent.title else frame + event("reasoning-title", reasoning.title)

    def pause(self, cost: float, late: float = 0.0, viewers: int = 1) -> float:
        """Seconds to wait after a frame that took `cost` seconds, when the wait before it ended `late` seconds late.

        `viewers` is the number of all viewers in the process.
        """
        size = self._rendering.open_size if self._rendering else 0
        return pause(cost, late, viewers, size=size)


def pause(cost: float, late: float, viewers: int, *, size: int = 0) -> float:
    """Seconds to wait after a frame with these costs, in which `size` characters are sent again."""
    shares = (
        viewers / FRAMES_PER_SECOND,
        cost * FRAME_COST_FACTOR,
        late * LATENESS_FACTOR,
        size / OPEN_CHARACTERS_PER_SECOND,
    )
    return min(max(FRAME_INTERVAL, *shares), FRAME_INTERVAL_MAX)


def render_reply(finished: str, tail: str, reasoning: Reasoning, *, before: str = "") -> str:
    """HTML of the inside of an open reply; `before` is that of the rounds that have ended."""
    context = {
        "before": SafeString(before),
        "finished": SafeString(finished),
        "tail": SafeString(tail),
        "reasoning": reasoning,
    }
    return render_to_string("conversations/messages/_reply.html", context)


def event(name: str, data: str) -> bytes:
    """One server-sent event. Only line feeds and carriage returns end a line in this format."""
    return f"event: {name}\ndata: {lines(data).replace('\n', '\ndata: ')}\n\n".encode()


def common_length(one: str, other: str) -> int:
    """Number of characters with which both texts begin alike."""
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
    """The text's length in UTF-16 units, as browsers count it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
