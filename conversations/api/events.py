"""A reply as the API streams it: server-sent events whose id is the number of characters sent so far.

`message.started` comes first on each connection, and again with id 0 when the reply is made anew: its earlier text is
void then. `text.delta` appends, `tool.call` names a tool that the reply called, `message.completed` repeats the whole
reply, `error` holds a problem.
"""

import json
from typing import Any
from uuid import UUID

from chatbot.web.problems import Problem
from conversations.replies import streams
from conversations.replies.live import LiveReply


class EventViewer:
    """What one connection has been sent of a reply, or had before, up to character `offset`."""

    opening = streams.RECONNECT

    def __init__(self, message_id: UUID, *, offset: int = 0) -> None:
        self._message_id = message_id
        self._offset = offset
        self._text = ""
        """Text of the reply when it was last read."""
        self._restarts: int | None = None

    def frame(self, reply: LiveReply) -> bytes:
        """The events that bring the viewer up to date with the reply."""
        begun = b""
        if self._restarts is None:
            begun = self._started()
        elif reply.restarts != self._restarts:
            begun = self._restarted()
        self._restarts = reply.restarts
        self._text = reply.text
        return (begun + self._delta(reply.text)) or streams.KEEP_ALIVE

    def pause(self, cost: float, late: float, viewers: int) -> float:
        """Seconds to wait after a frame: see `streams.pause`."""
        return streams.pause(cost, late, viewers)

    def completed(self, text: str, calls: list[dict[str, Any]], outcome: dict[str, Any]) -> bytes:
        """The events of the remaining text, the tools that the reply called, and its end."""
        begun = self._started() if self._restarts is None else b""
        # Another process made the reply anew, and nobody watched that here.
        if not text.startswith(self._text) or len(text) < self._offset:
            begun += self._restarted()
        called = b"".join(self._event("tool.call", call) for call in calls)
        return begun + self._delta(text) + called + self._event("message.completed", outcome)

    def failed(self, problem: Problem) -> bytes:
        """The events of a failed reply's end; its text so far is kept."""
        return (self._started() if self._restarts is None else b"") + self._event("error", problem.body)

    def _started(self) -> bytes:
        return self._event("message.started", {"message_id": str(self._message_id)})

    def _restarted(self) -> bytes:
        self._offset = 0
        self._text = ""
        return self._started()

    def _delta(self, text: str) -> bytes:
        """The text that the viewer lacks. A viewer with more text than another process has saved waits."""
        more = text[self._offset :]
        if not more:
            return b""
        self._offset = len(text)
        return self._event("text.delta", {"text": more})

    def _event(self, name: str, data: dict[str, Any]) -> bytes:
        return f"event: {name}\nid: {self._offset}\ndata: {json.dumps(data)}\n\n".encode()
