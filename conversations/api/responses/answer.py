"""A response of the model's, whole or as the events that OpenAI's clients know."""

import json
import time
from typing import Any
from uuid import uuid4

from chatbot.web.problems import Problem
from conversations.api.completions import CUT, Completion
from conversations.api.responses.items import COMPLETED, IN_PROGRESS, INCOMPLETE
from conversations.api.responses.items import Event as Told
from conversations.api.responses.output import Output
from conversations.llm import service as llm
from conversations.llm.service import Event, Usage

REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Finish reason of a completion -> why a response is incomplete."""

FAILED = "failed"
ERRORS = {400: "invalid_prompt", 429: "rate_limit_exceeded"}
"""Status of an error -> its code in a failed response; other errors are the server's."""


class ResponseAnswer:
    """A response while it is made, from the events of a completion.

    Whatever assembles calls, reasoning and reasons of a completion does so here, too.
    """

    def __init__(self, model: str, repeated: dict[str, Any]) -> None:
        self._completion = Completion(f"resp_{uuid4().hex}", model)
        self._output = Output(self._completion)
        self._repeated = repeated
        self._sent = 0
        """Number of events so far."""

    def add(self, event: Event) -> None:
        """Add an event of the model to a response that is sent whole."""
        self._output.grow(self._completion.add(event))
        if isinstance(event, llm.TextWasReasoning):
            self._output.text_was_reasoning()

    def whole(self) -> dict[str, Any]:
        """The whole response as JSON fields."""
        self._output.grow(self._completion.end())
        self._output.end(self._status)
        return self._fields(self._status)

    def frame(self, event: Event) -> bytes:
        """Add an event of the model to a response that is streamed; returns what is sent for it, if anything."""
        told = self._output.grow(self._completion.add(event))
        return self._begun() + self._events(told) if told else b""

    def last(self) -> bytes:
        """The events of the response's end."""
        told = self._output.grow(self._completion.end()) + self._output.end(self._status)
        end = {"type": f"response.{self._status}", "response": self._fields(self._status)}
        return self._begun() + self._events([*told, end])

    def failed(self, problem: Problem) -> bytes:
        """The events of a failure; the clients raise an error for the last one."""
        begun = self._begun()
        error: dict[str, Any] = problem.at_door.body["error"]
        code = ERRORS.get(problem.at_door.status, "server_error")
        self._output.end(INCOMPLETE)
        failed = self._fields(FAILED) | {"error": {"code": code, "message": error["message"]}}
        told = {"type": "error", "code": error["code"], "message": error["message"], "param": error["param"]}
        return begun + self._events([{"type": "response.failed", "response": failed}, told | {"error": error}])

    @property
    def _status(self) -> str:
        return INCOMPLETE if self._completion.finish_reason in CUT else COMPLETED

    def _begun(self) -> bytes:
        """The events of the response's beginning; empty when they were already sent."""
        if self._sent:
            return b""
        fields = self._fields(IN_PROGRESS) | {"output": []}
        return self._events([{"type": f"response.{name}", "response": fields} for name in ("created", "in_progress")])

    def _events(self, told: list[Told]) -> bytes:
        return b"".join(map(self._event, told))

    def _event(self, told: Told) -> bytes:
        numbered = told | {"sequence_number": self._sent}
        self._sent += 1
        return f"event: {told['type']}\ndata: {json.dumps(numbered)}\n\n".encode()

    def _fields(self, status: str) -> dict[str, Any]:
        completion = self._completion
        reason = REASONS.get(completion.finish_reason) if status == INCOMPLETE else None
        return self._repeated | {
            "id": completion.id,
            "object": "response",
            "created_at": completion.created,
            "completed_at": int(time.time()) if status == COMPLETED else None,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "model": completion.model,
            "output": self._output.fields(),
            "usage": counted(completion.usage) if completion.usage else None,
        }


def counted(usage: Usage) -> dict[str, Any]:
    """Token counts as JSON fields of a response."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
