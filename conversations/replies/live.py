"""A reply in the memory of the process that makes or follows it, shared by its viewers."""

import asyncio
import time
from collections.abc import Iterable
from uuid import UUID

from chatbot.core.errors import UserFacingError
from conversations.models.reasoning import NOTHING, Reasoning
from conversations.models.steps import Step


class LiveReply:
    """A reply as this process knows it, shared by its viewers.

    `text` and `reasoning` only grow, except when a new worker begins again, or when text turns out to be reasoning:
    then `restarts` grows by one.
    """

    def __init__(self, message_id: UUID) -> None:
        self.message_id = message_id
        self.text = ""
        self.reasoning = NOTHING
        self.steps: tuple[Step, ...] = ()
        """The tool calls so far, in order, with their states."""
        self.restarts = 0
        self.ended = False
        self.failure: UserFacingError | None = None
        """Why this process failed to make the reply; holds more details than the database."""
        self.lost = False
        """Whether this object no longer represents the reply: its viewers must ask for it again."""
        self.since = time.perf_counter()
        """Time at which this process began to make or follow the reply (`time.perf_counter`)."""
        self.joined: asyncio.Task[None] | None = None
        """Task that ends when this process makes or follows the reply."""
        self.viewers = 0
        """Number of viewers in this process."""
        self.changes = 0
        """Counter of the changes of which viewers were told."""
        self._watching: set[asyncio.Future[None]] = set()
        self._resting: set[asyncio.Future[None]] = set()

    def wake(self) -> None:
        """Tell the viewers that something has changed."""
        self.changes += 1
        _end(self._watching)

    def show_steps(self, steps: tuple[Step, ...]) -> None:
        """Replace the tool calls, and tell the viewers of a change."""
        if steps != self.steps:
            self.steps = steps
            self.wake()

    def show(self, text: str, reasoning: Reasoning = NOTHING, steps: tuple[Step, ...] = ()) -> None:
        """Replace text, reasoning and tool calls by those in the database."""
        self.show_steps(steps)
        if text != self.text or reasoning != self.reasoning:
            if not text.startswith(self.text) or not reasoning.text.startswith(self.reasoning.text):
                self.restarts += 1
            self.text = text
            self.reasoning = reasoning
            self.wake()

    def clear(self) -> None:
        """Drop what an earlier worker wrote: the reply is made from its beginning."""
        if self.text or self.reasoning.text:
            self.restarts += 1
        self.text = ""
        self.reasoning = NOTHING

    def turn_into(self, reasoning: Reasoning, *, text: str = "") -> None:
        """Keep only `text` as the text; the rest is now part of the reasoning."""
        self.restarts += 1
        self.text = text
        self.reasoning = reasoning

    def end(self) -> None:
        """Mark the reply as ended, and wake its viewers."""
        self.ended = True
        self._rouse()

    def lose(self) -> None:
        """Disconnect the viewers, so that they ask again."""
        self.lost = True
        self._rouse()

    async def change(self, seen: int, seconds: float) -> None:
        """Wait until there are more `changes` than `seen`, at most `seconds`."""
        if self.changes == seen and not self.ended:
            await _wait(self._watching, seconds)

    async def rest(self, seconds: float) -> None:
        """Wait for `seconds`, but not beyond the reply's end."""
        if not self.ended and not self.lost:
            await _wait(self._resting, seconds)

    def _rouse(self) -> None:
        self.wake()
        _end(self._resting)


async def _wait(waits: set[asyncio.Future[None]], seconds: float) -> None:
    """Add a future to `waits` and wait until it is set, at most `seconds`.

    Each frame of each viewer waits: an asyncio event with a time-out would cost more than the frame.
    """
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    timer = loop.call_later(seconds, _set, over)
    waits.add(over)
    try:
        await over
    finally:
        timer.cancel()
        waits.discard(over)


def _end(waits: Iterable[asyncio.Future[None]]) -> None:
    for over in waits:
        _set(over)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
