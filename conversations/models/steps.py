"""A tool call as people see it: one step of a reply, from its row or from what its message recorded."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from conversations.models.tool_calls import CallState, ToolCall

RECORDED_MAX_CHARS = 4_000
"""Characters of a result that a message records; the call's row has all of it."""

ENDED = frozenset({CallState.DONE, CallState.FAILED, CallState.DECLINED, CallState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Step:
    """A tool call of a reply, with what a page or a program shows of it."""

    key: str
    """The call's key, as text."""
    tool: str
    arguments: str
    """The arguments as the model wrote them."""
    state: str
    place: int = 0
    """Characters of the reply's text before it."""
    round: int = 0
    result: Mapping[str, Any] | None = None
    """The result as `tools.results.Result` writes it, perhaps shortened."""
    error: str = ""
    decision: str = ""
    times: Mapping[str, str | None] = field(default_factory=dict)
    """`created_at`, `started_at` and `finished_at` as ISO 8601 text."""
    progress: str = ""
    """What the running tool last told of its progress."""

    @classmethod
    def of(cls, call: ToolCall, *, progress: str = "") -> "Step":
        """The step of a call's row."""
        times = {name: _iso(getattr(call, name)) for name in ("created_at", "started_at", "finished_at")}
        return cls(
            str(call.pk),
            call.tool,
            call.arguments,
            call.state,
            call.place,
            call.round,
            call.result,
            call.error,
            call.decision,
            times,
            progress,
        )

    @classmethod
    def recorded(cls, record: Mapping[str, Any], number: int) -> "Step":
        """The step of a record in `Message.tool_calls`, the one with this number; for records of any origin."""
        arguments = record.get("arguments")
        result = record.get("result")
        return cls(
            key=str(record.get("id") or number),
            tool=str(record.get("name") or ""),
            arguments=arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False),
            state=_known(record.get("status")),
            place=_whole(record.get("place")),
            round=_whole(record.get("round")),
            result=result if isinstance(result, dict) else {"text": str(result)} if result else None,
            error=str(record.get("error") or ""),
            decision=str(record.get("decision") or ""),
            times={name: record.get(name) for name in ("created_at", "started_at", "finished_at")},
        )

    @property
    def is_undecided(self) -> bool:
        """Whether it waits for its person's decision."""
        return self.state == CallState.WAITING or (self.state == CallState.UNKNOWN and not self.decision)

    @property
    def is_running(self) -> bool:
        """Whether it runs, or is about to."""
        return self.state in {CallState.APPROVED, CallState.RUNNING}

    @property
    def seconds(self) -> float | None:
        """How long it ran, in seconds; None while it runs and for a call that did not run."""
        started, finished = (self.times.get(name) for name in ("started_at", "finished_at"))
        if not started or not finished:
            return None
        return max(0.0, (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds())

    def record(self) -> dict[str, Any]:
        """What the message records of it, as JSON: the result is cut at `RECORDED_MAX_CHARS`."""
        return {
            "id": self.key,
            "name": self.tool,
            "arguments": _decoded(self.arguments),
            "status": self.state,
            "result": _bounded(self.result),
            "error": self.error,
            "decision": self.decision,
            "round": self.round,
            "place": self.place,
            **self.times,
        }


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _known(status: object) -> str:
    """The state of an imported call: one that had not ended is unknown, for nothing goes on with it."""
    return str(status) if status in ENDED else CallState.UNKNOWN.value


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _decoded(arguments: str) -> Any:
    """The arguments as a JSON object; as text when the model wrote something else."""
    try:
        decoded = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return arguments
    return decoded if isinstance(decoded, dict) else arguments


def _bounded(result: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The result, or only the beginning of its text when it is long."""
    if result is None or len(json.dumps(result, ensure_ascii=False)) <= RECORDED_MAX_CHARS:
        return result
    text = str(result.get("text") or "")
    return {"text": text[:RECORDED_MAX_CHARS], "length": len(text)}
