"""Chat completions in the form that OpenAI's clients know: whole, and in chunks."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from conversations import streams
from conversations.api.problems import Problem
from conversations.live import LiveReply
from conversations.llm import Usage

DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class Completion:
    """One completion."""

    id: str
    model: str
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(
        self, text: str, *, thought: str = "", reason: str = "stop", usage: Usage | None = None
    ) -> dict[str, Any]:
        """All of it."""
        message = {"role": "assistant", "content": text} | ({"reasoning_content": thought} if thought else {})
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        return self._named("chat.completion", [choice]) | ({"usage": counted(usage)} if usage else {})

    def first(self) -> bytes:
        """The chunk that says who speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def text(self, text: str) -> bytes:
        """A piece of the answer."""
        return self._chunk({"content": text})

    def thought(self, text: str) -> bytes:
        """A piece of what the model thinks before."""
        return self._chunk({"reasoning_content": text})

    def last(self, *, reason: str = "stop", usage: Usage | None = None) -> bytes:
        """The end; with the count of tokens for those who want it."""
        count = data(self._named("chat.completion.chunk", []) | {"usage": counted(usage)}) if usage else b""
        return self._chunk({}, reason) + count + DONE

    def _chunk(self, delta: dict[str, str], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return data(self._named("chat.completion.chunk", [choice]))

    def _named(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}


def counted(usage: Usage) -> dict[str, int]:
    """The tokens."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def data(body: dict[str, Any]) -> bytes:
    """One event without a name."""
    return f"data: {json.dumps(body)}\n\n".encode()


def failed(problem: Problem) -> bytes:
    """The end of a stream that failed: the client raises it."""
    return data(problem.door_body)


class ChunkViewer:
    """What one connection has been sent of a stored reply, in chunks."""

    def __init__(self, completion: Completion) -> None:
        self.completion = completion
        self.opening = completion.first()
        self._sent = ""

    def frame(self, reply: LiveReply) -> bytes:
        """The chunk that brings the viewer to where the reply is."""
        return self._rest(reply.text) or streams.KEEP_ALIVE

    def pause(self, cost: float, late: float, viewers: int) -> float:
        """Seconds to wait after a frame: see `streams.pause`."""
        return streams.pause(cost, late, viewers)

    def ended(self, text: str, usage: Usage | None) -> bytes:
        """The rest and the end. A reply that was made anew by another process fits nothing that was sent."""
        if not text.startswith(self._sent):
            return failed(Problem("interrupted"))
        return self._rest(text) + self.completion.last(usage=usage)

    def _rest(self, text: str) -> bytes:
        if len(text) <= len(self._sent) or not text.startswith(self._sent):
            return b""
        more = text[len(self._sent) :]
        self._sent = text
        return self.completion.text(more)
