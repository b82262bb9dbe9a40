"""The HTML of a reply while it grows, rendered once for all its viewers.

Each round's text is Markdown of its own. The texts of rounds that have ended are closed; the last one grows.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID
from weakref import WeakKeyDictionary

from chatbot.core.process import Part
from conversations.markdown.budget import Budget
from conversations.markdown.rendering import BlockStream
from conversations.models.steps import JOINT, Step, ends_of
from conversations.replies import step_html
from conversations.replies.live import LiveReply

LONG = 2_000
"""Characters from which text is rendered in a thread, because it takes longer than a millisecond."""

_thread = Part(lambda: ThreadPoolExecutor(1, thread_name_prefix="rendering"))
"""One thread renders all replies, so that rendering takes at most the share of one core."""


@dataclass(frozen=True, slots=True)
class Grown:
    """The result of rendering more of a reply."""

    begin: int
    """Index of the first block that is new or has changed."""
    finished: list[str]
    revision: int
    tail: str
    size: int
    """Bytes of the text that is rendered."""
    closes: bool
    """Whether the text of the round has ended."""


class Rendering:
    """The HTML of a growing reply, rendered once for all its viewers."""

    def __init__(self, key: UUID) -> None:
        self.closed: list[str] = []
        """The texts of the rounds that have ended, each as HTML."""
        self.finished: list[str] = []
        self.finished_size = 0
        """Bytes of the finished blocks in `finished`, and of the texts in `closed`."""
        self.revision = 0
        """Grows when finished blocks have changed."""
        self.tail = ""
        self.text_size = 0
        """Bytes of the text that `closed`, `finished` and `tail` show."""
        self.steps: tuple[Step, ...] = ()
        """The tool calls between the texts, as of the last call of `grow`."""
        self._ends: Sequence[tuple[int, int]] = ()
        self._key = key
        self._budget = Budget()
        self._blocks = BlockStream(self._budget, key=key)
        self._length = 0
        self._is_busy = False

    @property
    def open_size(self) -> int:
        """Characters of the open block."""
        return self._blocks.open_size

    @property
    def before(self) -> str:
        """HTML of what stands before the text that grows: the closed texts, and the tool calls after each."""
        return "".join(
            html + step_html.group([step for step in self.steps if step.end == end])
            for html, end in zip(self.closed, self._ends, strict=False)
        )

    def grow(self, reply: LiveReply) -> None:
        """Render the text that is new since the last call; for long text, in a thread that wakes the viewers later."""
        if reply.steps is not self.steps:
            self.steps, self._ends = reply.steps, ends_of(reply.steps)
        while not self._is_busy and self._has_more(reply):
            self._grow(reply)

    def _has_more(self, reply: LiveReply) -> bool:
        return len(reply.text) != self._length or len(self.closed) < len(self._ends)

    def _grow(self, reply: LiveReply) -> None:
        closes = len(self.closed) < len(self._ends)
        end = self._ends[len(self.closed)][1] if closes else len(reply.text)
        begin = self._length
        if self.closed and begin == self._ends[len(self.closed) - 1][1] and reply.text.startswith(JOINT, begin):
            begin += len(JOINT)
        more = reply.text[begin:end]
        self._length = max(begin, end)
        if len(more) + self.open_size <= LONG:
            self._take(self._grown(more, closes=closes))
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            # This is short enough for the event loop.
            self._take(self._grown(more, closes=closes))
            return
        self._is_busy = True
        _thread().submit(self._grown, more, closes=closes).add_done_callback(
            lambda done: loop.call_soon_threadsafe(self._come_back, reply, done)
        )

    def _grown(self, more: str, *, closes: bool) -> Grown:
        self._blocks.append(more)
        size = len(more.encode(errors="replace"))
        if closes:
            self._blocks.close()
            return Grown(0, [lines(self._blocks.rendered().html)], 0, "", size, closes=True)
        blocks = self._blocks.take()
        revision, begin = self._blocks.revision, len(self.finished)
        begin = begin if revision == self.revision else 0
        finished = [lines(piece) for piece in self._blocks.pieces[begin:]]
        return Grown(begin, finished, revision, lines(blocks.open), size, closes=False)

    def _come_back(self, reply: LiveReply, done: "Future[Grown]") -> None:
        self._is_busy = False
        self._take(done.result())
        reply.wake()

    def _take(self, grown: Grown) -> None:
        self.text_size += grown.size
        if grown.closes:
            self.closed += grown.finished
            self.finished, self.revision, self.tail = [], 0, ""
            self.finished_size = sum(len(html.encode()) for html in self.closed)
            self._blocks = BlockStream(self._budget, key=f"{self._key}-{len(self.closed)}")
            return
        if not grown.begin:
            self.finished_size = sum(len(html.encode()) for html in self.closed)
        self.finished[grown.begin :] = grown.finished
        self.finished_size += sum(len(piece.encode()) for piece in grown.finished)
        self.revision = grown.revision
        self.tail = grown.tail


_renderings = Part(WeakKeyDictionary[LiveReply, tuple[int, Rendering]])


def rendering(reply: LiveReply) -> Rendering:
    """The reply's current HTML; a new object when a new worker has begun."""
    renderings = _renderings()
    restarts, shared = renderings.get(reply, (-1, None))
    if shared is None or restarts != reply.restarts:
        shared = Rendering(reply.message_id)
        renderings[reply] = reply.restarts, shared
    shared.grow(reply)
    return shared


def lines(text: str) -> str:
    """The text with line feeds as its only line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
