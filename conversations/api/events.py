"""A reply as the API streams it: server-sent events whose id is the number of characters sent so far.

`message.started` comes first on each connection, and again with id 0 when the reply is made anew: its earlier text is
void then. `text.delta` appends. `tool.call` holds a tool call of the reply whenever it has changed; each connection
gets all calls as they stand. The last event is `message.completed` with the whole reply, `message.waiting` with the
calls that need a decision, or `error` with a problem.
"""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from chatbot.web.problems import Problem
from conversations.models.steps import TIMES, Step
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
        self._steps: dict[str, Step] = {}
        """The tool calls as they were last sent, by key."""

    def frame(self, reply: LiveReply) -> bytes:
        """The events that bring the viewer up to date with the reply."""
        begun = b""
        if self._restarts is None:
            begun = self._started()
        elif reply.restarts != self._restarts:
            begun = self._restarted()
        self._restarts = reply.restarts
        self._text = reply.text
        return (begun + self._delta(reply.text) + self._calls(reply.steps)) or streams.KEEP_ALIVE

    def pause(self, cost: float, late: float, viewers: int) -> float:
        """Seconds to wait after a frame: see `streams.pause`."""
        return streams.pause(cost, late, viewers)

    def completed(self, text: str, steps: Iterable[Step], outcome: dict[str, Any]) -> bytes:
        """The events of the remaining text and calls, and of the reply's end."""
        return self._rest(text, steps) + self._event("message.completed", outcome)

    def waiting(self, text: str, steps: Iterable[Step], outcome: dict[str, Any]) -> bytes:
        """The events of the remaining text and calls of a reply that goes on once its person has decided."""
        return self._rest(text, steps) + self._event("message.waiting", outcome)

    def going_on(self, text: str, steps: Iterable[Step]) -> bytes:
        """The events of a reply that goes on elsewhere: a stream without a last event is asked for again."""
        return self._rest(text, steps)

    def failed(self, problem: Problem, steps: Iterable[Step] = ()) -> bytes:
        """The events of a failed reply's end; its text so far is kept."""
        begun = self._started() if self._restarts is None else b""
        return begun + self._calls(steps) + self._event("error", problem.body)

    def _rest(self, text: str, steps: Iterable[Step]) -> bytes:
        """The events of what the viewer lacks of the reply as it is stored."""
        begun = self._started() if self._restarts is None else b""
        # Another process made the reply anew, and nobody watched that here.
        if not text.startswith(self._text) or len(text) < self._offset:
            begun += self._restarted()
        return begun + self._delta(text) + self._calls(steps)

    def _started(self) -> bytes:
        return self._event("message.started", {"message_id": str(self._message_id)})

    def _restarted(self) -> bytes:
        self._offset = 0
        self._text = ""
        self._steps.clear()
        return self._started()

    def _delta(self, text: str) -> bytes:
        """The text that the viewer lacks. A viewer with more text than another process has saved waits."""
        more = text[self._offset :]
        if not more:
            return b""
        self._offset = len(text)
        return self._event("text.delta", {"text": more})

    def _calls(self, steps: Iterable[Step]) -> bytes:
        """The calls that are new or have changed since they were last sent."""
        events = b""
        for step in steps:
            before = self._steps.get(step.key)
            self._steps[step.key] = step
            if step is not before and (before is None or _told(step) != _told(before)):
                progress = {"progress": step.progress} if step.progress else {}
                events += self._event("tool.call", step.record() | progress)
        return events

    def _event(self, name: str, data: dict[str, Any]) -> bytes:
        return f"event: {name}\nid: {self._offset}\ndata: {json.dumps(data)}\n\n".encode()


def _told(step: Step) -> dict[str, Any]:
    """What has to change of a call before it is sent again: its times alone differ where another process read them."""
    return step.record() | {"progress": step.progress} | dict.fromkeys(TIMES)
