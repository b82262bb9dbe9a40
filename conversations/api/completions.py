"""Chat completions in the format of OpenAI's clients: whole, and in chunks."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from chatbot.web.problems import Problem
from conversations.llm import service as llm
from conversations.llm.pieces import Pieces
from conversations.llm.service import Event, Usage
from conversations.llm.tool_calls import NOTHING, ToolCalls, merge

DONE = b"data: [DONE]\n\n"
CUT = frozenset({"length", "content_filter"})
"""Reasons for which an answer ended before its end."""


@dataclass(slots=True)
class Completion:
    """One completion, collected while it is made."""

    id: str
    model: str
    with_usage: bool = False
    """Whether a stream ends with the count of tokens."""
    with_functions: bool = False
    """Whether the program speaks of functions, as it was before there were tools."""
    created: int = field(default_factory=lambda: int(time.time()))
    text: Pieces = field(default_factory=Pieces)
    reasoning: Pieces = field(default_factory=Pieces)
    reason: str = "stop"
    usage: Usage | None = None
    extras: dict[str, Any] = field(default_factory=dict)
    """Fields of the answer besides its text: `function_call`, `annotations`, `logprobs`."""
    tools: ToolCalls = field(default_factory=ToolCalls)
    is_begun: bool = False
    """Whether the chunk with the role was sent."""

    @property
    def finish_reason(self) -> str:
        """Why the answer ended, in the protocol's words: by calls if there are any, whatever the provider's word is."""
        if self.reason in CUT:
            return self.reason
        if self.tools.calls:
            return "tool_calls"
        return "function_call" if "function_call" in self.extras else "stop"

    def add(self, event: Event) -> dict[str, Any]:
        """Add an event of the model; returns the fields that it adds to a chunk's choice, if any."""
        match event:
            case llm.TextDelta(text=text):
                self.text.add(text)
                return {"delta": {"content": text}}
            case llm.ReasoningDelta(text=text):
                self.reasoning.add(text)
                return {"delta": {"reasoning_content": text}}
            case llm.TextWasReasoning():
                self.reasoning.add(str(self.text).lstrip())
                self.text = Pieces()
            case llm.Extra():
                return self._extra(event)
            case llm.Usage():
                self.usage = event
            case llm.Finish(reason=reason):
                self.reason = "length" if event.is_cut else reason.lower()
            case llm.Asked(model=model):
                self.model = model
        return {}

    def _extra(self, event: llm.Extra) -> dict[str, Any]:
        match event:
            case llm.Extra(name="tool_calls", value=value):
                return self._called(value)
            case llm.Extra(name="logprobs", value=value):
                return {"logprobs": self._logprobs(value)}
            case llm.Extra(name="function_call", value=dict(value)):
                if not self.with_functions:
                    return self._called({"function": value})
                return {"delta": {"function_call": merge(self.extras.setdefault("function_call", {}), value)}}
            case llm.Extra(name="annotations", value=list(value)):
                self.extras.setdefault("annotations", []).extend(value)
                return {"delta": {"annotations": value}}
        return {}

    def _called(self, pieces: object) -> dict[str, Any]:
        return {"delta": {"tool_calls": added}} if (added := self.tools.add(pieces)) else {}

    def end(self) -> dict[str, Any]:
        """Complete calls that came without arguments; returns the fields that this adds to a chunk's choice, if any."""
        if self.reason in CUT:
            return {}
        if ended := self.tools.end():
            return {"delta": {"tool_calls": ended}}
        function = self.extras.get("function_call")
        return {} if function is None else completed(function)

    def frame(self, event: Event) -> bytes:
        """Add an event of the model; returns its chunk, empty for what only the end reports.

        The first chunk is preceded by the one with the role.
        """
        brought = self.add(event)
        if not brought:
            return b""
        return self.first() + self._chunk(brought)

    def whole(self) -> dict[str, Any]:
        """The whole completion as JSON fields."""
        self.end()
        text, reasoning = str(self.text), str(self.reasoning)
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if reasoning:
            message["reasoning_content"] = reasoning
        if self.tools.calls:
            message["tool_calls"] = [call.whole() for call in self.tools.calls]
        message |= {name: value for name, value in self.extras.items() if name != "logprobs"}
        if not text and ("tool_calls" in message or "function_call" in message):
            message["content"] = None
        choice = {
            "index": 0,
            "message": message,
            "logprobs": self.extras.get("logprobs"),
            "finish_reason": self.finish_reason,
        }
        return self._named("chat.completion", [choice]) | ({"usage": counted(self.usage)} if self.usage else {})

    def first(self) -> bytes:
        """The chunk with the role; empty when it was already sent."""
        if self.is_begun:
            return b""
        self.is_begun = True
        return self._chunk({"delta": {"role": "assistant", "content": ""}})

    def last(self) -> bytes:
        """The last chunks; with the count of tokens for clients that asked for it."""
        count = b""
        ended = self._chunk(brought) if (brought := self.end()) else b""
        if self.with_usage and self.usage:
            count = data(self._named("chat.completion.chunk", []) | {"usage": counted(self.usage)})
        return self.first() + ended + self._chunk({"finish_reason": self.finish_reason}) + count + DONE

    def failed(self, problem: Problem) -> bytes:
        """The last event of a failed stream, for which the client raises an error."""
        return data(problem.at_door.body)

    def _logprobs(self, piece: dict[str, Any]) -> dict[str, Any]:
        kept = self.extras.setdefault("logprobs", {})
        for name, value in piece.items():
            kept[name] = kept.get(name) or []
            kept[name] += value if isinstance(value, list) else []
        return piece

    def _chunk(self, brought: dict[str, Any]) -> bytes:
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": None} | brought
        return data(self._named("chat.completion.chunk", [choice]))

    def _named(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}


def counted(usage: Usage) -> dict[str, Any]:
    """Token counts as JSON fields of OpenAI's format."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def data(body: dict[str, Any]) -> bytes:
    """A server-sent event without a name, with JSON data."""
    return f"data: {json.dumps(body)}\n\n".encode()


def completed(function: dict[str, Any]) -> dict[str, Any]:
    """Complete the call of a function that came without arguments; returns the fields that this adds to a choice."""
    if str(function.get("arguments", "")).strip():
        return {}
    function["arguments"] = NOTHING
    return {"delta": {"function_call": {"arguments": NOTHING}}}
