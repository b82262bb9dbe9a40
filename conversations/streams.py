"""A reply as server-sent events: the only place that makes a streaming response.

Events, each with HTML as its data: `reply`, the whole reply as it stands, first on every connection and again when a
new maker begins; `blocks`, finished blocks to append; `tail`, the block that still grows; `end`, the final message.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from uuid import UUID

from django.http import StreamingHttpResponse
from django.template.loader import render_to_string

from conversations import replies
from conversations.makers import LiveReply
from conversations.markdown import Blocks, BlockStream

FRAME_INTERVAL = 0.04
"""Seconds between two frames of one viewer, at least."""

FRAME_INTERVAL_MAX = 1.0
FRAME_COST_SHARE = 10
"""A frame that took t seconds to write is followed by a pause of at least this many times t."""

OPEN_CHARACTERS_PER_SECOND = 200_000
"""The open block is sent again in each frame; a long one is sent less often, to bound what is sent in a second."""

KEEP_ALIVE = b": still here\n\n"
RECONNECT = b"retry: 1000\n\n"


def response(message_id: UUID, *, end: Callable[[], str]) -> StreamingHttpResponse:
    """Stream the reply until it has ended; `end` renders the final event's HTML and may use the database."""
    return StreamingHttpResponse(
        events(message_id, end=end),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def events(message_id: UUID, *, end: Callable[[], str]) -> AsyncGenerator[bytes]:
    """The frames of one viewer. Ends without the `end` event when this process shuts down: the viewer reconnects."""
    yield RECONNECT
    viewer = Viewer()
    ended = False
    async with aclosing(replies.engine().watch(message_id)) as changes:
        async for reply in changes:
            if reply.ended:
                ended = True
                break
            begun = time.perf_counter()
            yield viewer.frame(reply)
            await asyncio.sleep(viewer.pause(time.perf_counter() - begun))
    if ended:
        yield event("end", await replies.engine().database(end))


class Viewer:
    """What one connection has been sent of a reply."""

    def __init__(self) -> None:
        self._reply: LiveReply | None = None
        self._restarts = 0
        self._sent = 0
        self._blocks = BlockStream()

    def frame(self, reply: LiveReply) -> bytes:
        """The events that bring the viewer to where the reply is."""
        if reply is not self._reply or reply.restarts != self._restarts:
            self._reply, self._restarts, self._sent = reply, reply.restarts, 0
            self._blocks = BlockStream()
            self._grow(reply.text)
            self._blocks.take()
            return event("reply", render_reply(self._blocks.whole()))
        if len(reply.text) == self._sent:
            return KEEP_ALIVE
        self._grow(reply.text)
        blocks = self._blocks.take()
        finished = event("blocks", blocks.finished) if blocks.finished else b""
        return finished + event("tail", blocks.open)

    def pause(self, cost: float) -> float:
        """Seconds to wait after a frame that took `cost` seconds."""
        stretched = max(FRAME_INTERVAL, cost * FRAME_COST_SHARE, self._blocks.open_size / OPEN_CHARACTERS_PER_SECOND)
        return min(stretched, FRAME_INTERVAL_MAX)

    def _grow(self, text: str) -> None:
        self._blocks.append(text[self._sent :])
        self._sent = len(text)


def render_reply(blocks: Blocks) -> str:
    """The inside of a reply that is still being made."""
    return render_to_string("conversations/_reply.html", {"finished": blocks.finished, "open": blocks.open})


def event(name: str, data: str) -> bytes:
    """One server-sent event. Only line feeds and carriage returns end a line in this format."""
    lines = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return f"event: {name}\n{''.join(f'data: {line}\n' for line in lines)}\n".encode()
