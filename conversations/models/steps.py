"""A tool call as people see it: one step of a reply, from its row or from what its message recorded."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from conversations.models.tool_calls import CallState, Decision, ToolCall

JOINT = "\n\n"
"""What stands between the texts of two rounds."""

RECORDED_MAX_CHARS = 4_000
"""Characters of arguments or a result that a message records; the call's row has all of it."""

ALL_RECORDED_MAX_CHARS = 200_000
"""Characters that a message records of all its calls: they are read with each page."""

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
            decision=_ended_by(record),
            times={name: record.get(name) for name in ("created_at", "started_at", "finished_at")},
        )

    @property
    def end(self) -> tuple[int, int]:
        """The end of its round: the round's number, and the characters of the text before it."""
        return self.round, self.place

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

    def record(self, most: int = RECORDED_MAX_CHARS) -> dict[str, Any]:
        """What the message records of it, as JSON: arguments and result have `most` characters each."""
        return {
            "id": self.key,
            "name": self.tool,
            "arguments": _decoded(self.arguments) if len(self.arguments) <= most else self.arguments[:most],
            "status": self.state,
            "result": _bounded(self.result, most),
            "error": self.error[:most],
            "decision": self.decision,
            "round": self.round,
            "place": self.place,
            **self.times,
        }


def records(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """What a message records of its calls, as JSON."""
    most = min(RECORDED_MAX_CHARS, ALL_RECORDED_MAX_CHARS // max(1, 2 * len(steps)))
    return [step.record(most) for step in steps]


def ends_of(steps: Sequence[Step]) -> list[tuple[int, int]]:
    """Where rounds of the reply have ended, in order: the round's number, and the characters of the text before it."""
    return list(dict.fromkeys(step.end for step in steps))


def parts_of(text: str, steps: Sequence[Step]) -> Iterator[tuple[int, str, list[Step]]]:
    """The text of each round with its offset, and the calls after it; the last one has none."""
    begin = 0
    for round_end in ends_of(steps):
        end = min(max(round_end[1], begin), len(text))
        yield begin, text[begin:end], [step for step in steps if step.end == round_end]
        begin = end + (len(JOINT) if text.startswith(JOINT, end) else 0)
    yield begin, text[begin:], []


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _known(status: object) -> str:
    """The state of an imported call: one that had not ended is unknown, for nothing goes on with it."""
    return str(status) if status in ENDED else CallState.UNKNOWN.value


def _ended_by(record: Mapping[str, Any]) -> str:
    """What decided on a recorded call: none of them waits for a decision any more."""
    decision = record.get("decision")
    return str(decision) if decision in Decision.values else Decision.STOPPED.value * (record.get("status") != "done")


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _decoded(arguments: str) -> Any:
    """The arguments as a JSON object; as text when the model wrote something else."""
    try:
        decoded = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return arguments
    return decoded if isinstance(decoded, dict) else arguments


def _bounded(result: Mapping[str, Any] | None, most: int) -> Mapping[str, Any] | None:
    """The result, or only the beginning of its text when it is long."""
    if result is None or len(json.dumps(result, ensure_ascii=False)) <= most:
        return result
    text = str(result.get("text") or "")
    return {"text": text[:most], "length": len(text)}
