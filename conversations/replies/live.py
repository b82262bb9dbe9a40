"""A reply as the process knows that makes or follows it, and those who watch it there."""

import asyncio
import time
from collections.abc import Iterable
from uuid import UUID

from chatbot.core.errors import UserFacingError
from conversations.models.reasoning import NOTHING, Reasoning


class LiveReply:
    """A reply as this process knows it, shared by its viewers.

    `text` and `reasoning` only grow, except that a new worker begins again, or that the text turns out to have been
    reasoning: then `restarts` grows by one.
    """

    def __init__(self, message_id: UUID) -> None:
        self.message_id = message_id
        self.text = ""
        self.reasoning = NOTHING
        self.restarts = 0
        self.ended = False
        self.failure: UserFacingError | None = None
        """Why this process failed to make it: more than is stored."""
        self.lost = False
        """Whether this object no longer stands for the reply: its viewers have to ask for it again."""
        self.since = time.perf_counter()
        """When this process took it, to make or to follow it."""
        self.joined: asyncio.Task[None] | None = None
        """Ends when the reply is being made or followed by this process."""
        self.viewers = 0
        """How many watch it here."""
        self.changes = 0
        """Grows whenever the viewers are told that something changed."""
        self._watching: set[asyncio.Future[None]] = set()
        self._resting: set[asyncio.Future[None]] = set()

    def wake(self) -> None:
        """Tell the viewers that something changed."""
        self.changes += 1
        _end(self._watching)

    def show(self, text: str, reasoning: Reasoning = NOTHING) -> None:
        """Replace the text and the reasoning by what the database has."""
        if text != self.text or reasoning != self.reasoning:
            if not text.startswith(self.text) or not reasoning.text.startswith(self.reasoning.text):
                self.restarts += 1
            self.text = text
            self.reasoning = reasoning
            self.wake()

    def clear(self) -> None:
        """Forget what an earlier worker wrote: the reply is made from its beginning."""
        if self.text or self.reasoning.text:
            self.restarts += 1
        self.text = ""
        self.reasoning = NOTHING

    def turn_into(self, reasoning: Reasoning, *, text: str = "") -> None:
        """Keep only this of the text; the rest of it belongs to the reasoning."""
        self.restarts += 1
        self.text = text
        self.reasoning = reasoning

    def end(self) -> None:
        """Say that nothing more will come."""
        self.ended = True
        self._rouse()

    def lose(self) -> None:
        """Send the viewers away to ask again."""
        self.lost = True
        self._rouse()

    async def change(self, seen: int, seconds: float) -> None:
        """Wait until there are more `changes` than the viewer has seen, for so many seconds at most."""
        if self.changes == seen and not self.ended:
            await _wait(self._watching, seconds)

    async def rest(self, seconds: float) -> None:
        """Wait, but not past the reply's end."""
        if not self.ended and not self.lost:
            await _wait(self._resting, seconds)

    def _rouse(self) -> None:
        self.wake()
        _end(self._resting)


async def _wait(waits: set[asyncio.Future[None]], seconds: float) -> None:
    """Wait as one of these waits until they are ended, for so many seconds at most.

    Each frame of each viewer waits: an event of asyncio's and a time-out would cost more than the frame.
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
