"""A tool call as people see it: one step of a reply, from its row or from what its message recorded."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from conversations.models import records
from conversations.models.messages import Message, Role
from conversations.models.tool_calls import CallState, Decision, ToolCall

JOINT = "\n\n"
"""What stands between the texts of two rounds."""

RECORDS_MAX_CHARS = 400_000
"""Characters of all that one message records of its calls, as JSON."""

SHORT_CHARS = 200
"""Characters of arguments, result and error of each call that a message records where all would be too long."""

TEXT_MAX_CHARS = 200
"""Characters of a recorded name or key that are read."""

TIMES = ("created_at", "started_at", "finished_at")

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
        times = {name: _iso(getattr(call, name)) for name in TIMES}
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
    def recorded(cls, record: Any, number: int) -> "Step":
        """The step of a record in `Message.tool_calls`, the one with this number. Never raises.

        Records may come from a file of any origin: what is not of the kind that it should be is left out. Calls in
        OpenAI's form are read too. A call that had not ended counts as given up, for nothing goes on with it.
        """
        known: Mapping[str, Any] = record if isinstance(record, dict) else {}
        function = known.get("function")
        named: Mapping[str, Any] = {**function, **known} if isinstance(function, dict) else known
        state, decision = records.text(known.get("status")), records.text(known.get("decision"))
        state = state if state in ENDED else CallState.UNKNOWN.value
        decision = decision if decision in Decision.values else ""
        if state == CallState.UNKNOWN and not decision:
            decision = Decision.STOPPED.value
        return cls(
            key=records.text(known.get("id"))[:TEXT_MAX_CHARS] or str(number),
            tool=records.text(named.get("name"))[:TEXT_MAX_CHARS],
            arguments=records.written(named.get("arguments")),
            state=state,
            place=records.whole(known.get("place")),
            round=records.whole(known.get("round")),
            result=records.result(known.get("result")),
            error=records.text(known.get("error")),
            decision=decision,
            times={name: records.time(known.get(name)) for name in TIMES},
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

    def record(self) -> dict[str, Any]:
        """What the message records of it, as JSON: arguments and result are bounded."""
        return {
            "id": self.key,
            "name": self.tool,
            "arguments": records.decoded(self.arguments),
            "status": self.state,
            "result": records.bounded(self.result),
            "error": self.error,
            "decision": self.decision,
            "round": self.round,
            "place": self.place,
            **self.times,
        }

    def shortened(self) -> "Step":
        """The step with the beginning of its arguments, result and error only."""
        result = records.beginning(self.result, SHORT_CHARS) if self.result else None
        return replace(self, arguments=self.arguments[:SHORT_CHARS], result=result, error=self.error[:SHORT_CHARS])


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


def steps_of(message: Message) -> list[Step]:
    """The steps of a message, in order: those that it recorded, or of an open reply the rows that it has so far.

    Causes a query for an open reply with calls, and one for a reply whose generation was not read with it.
    """
    generation = message.generation if message.role == Role.ASSISTANT else None
    if generation and generation.is_open and generation.rounds:
        return [Step.of(call) for call in ToolCall.objects.filter(message=message.pk).in_order()]
    return recorded_steps(message.tool_calls)


def recorded_steps(value: Any) -> list[Step]:
    """The steps that a message recorded, whatever it holds. Never raises."""
    return [Step.recorded(record, number) for number, record in enumerate(value)] if isinstance(value, list) else []


def records_of(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """What a message records of these steps: at most about `RECORDS_MAX_CHARS`, shortened where that is too little."""
    found = list(steps)
    made = [step.record() for step in found]
    if len(json.dumps(made, ensure_ascii=False)) > RECORDS_MAX_CHARS:
        made = [step.shortened().record() for step in found]
    return made


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
