"""Tool calls as HTML: what the assistant does in words, its state, and its arguments and result, folded.

Everything that a model or a tool said is escaped; no address in it is fetched by the page.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from conversations.models import CallState, Decision
from conversations.models.step_words import words_of
from conversations.models.steps import Step
from tools import registry
from tools.define import is_safe

VALUE_MAX_CHARS = 2_000
RESULT_MAX_CHARS = 4_000
ROWS_MOST = 50
"""Rows of a table that a step shows."""

STATES = {
    CallState.PROPOSED: "Waits for the step before",
    CallState.WAITING: "Needs your approval",
    CallState.APPROVED: "About to run",
    CallState.RUNNING: "Running",
    CallState.DONE: "Done",
    CallState.FAILED: "Failed",
    CallState.DECLINED: "Declined",
    CallState.UNKNOWN: "May have happened",
}

EXPIRED = "Declined, because it waited too long"
STOPPED = "Stopped"


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table that a tool returned, as far as a step shows it."""

    columns: Sequence[str]
    rows: Sequence[tuple[Sequence[Any], str]]
    """The cells of each row, and its link or nothing."""
    more: int
    """Number of rows that are not shown."""


@dataclass(frozen=True, slots=True)
class ShownStep:
    """A tool call, as a page shows it."""

    step: Step
    words: str
    """What it does, or has done."""
    state: str
    """Its state, in words for people."""
    arguments: Sequence[tuple[str, str]]
    """Names and values, or the text that the model wrote without a name."""
    result: str
    table: ShownTable | None = None
    is_cut: bool = False
    """Whether there is more of the result than is shown."""

    @property
    def time(self) -> str:
        """How long it ran, in words; empty for less than a second."""
        seconds = self.step.seconds or 0.0
        if seconds < 1:
            return ""
        minutes, rest = divmod(int(seconds), 60)
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def shown(step: Step) -> ShownStep:
    """The step, as a page shows it."""
    tool, arguments = registry.get(step.tool), _decoded(step.arguments)
    if tool and arguments:
        # In the order of the function, whatever the order in which they were stored.
        known = [name for name in tool.parameters.get("properties", ()) if name in arguments]
        arguments = {name: arguments[name] for name in (*known, *(arguments.keys() - set(known)))}
    result, table, is_cut = _result(step)
    return ShownStep(
        step, words_of(step), _state(step), list(_arguments(arguments, step.arguments)), result, table, is_cut
    )


def has_acted(step: Step) -> bool:
    """Whether the call changed something, or may have."""
    tool = registry.get(step.tool)
    return step.state in {CallState.DONE, CallState.UNKNOWN} and not (tool and tool.read_only)


def one(step: Step) -> str:
    """HTML of one tool call."""
    return render_to_string("conversations/messages/_step.html", {"shown": shown(step), "step": step})


def group(steps: Iterable[Step]) -> SafeString:
    """HTML of the tool calls of one round."""
    inner = "".join(map(one, steps))
    return SafeString(f'<div class="steps">{inner}</div>' if inner else "")


def _state(step: Step) -> str:
    if step.state == CallState.DECLINED and step.decision in {Decision.EXPIRED, Decision.STOPPED}:
        return EXPIRED if step.decision == Decision.EXPIRED else STOPPED
    return step.progress or STATES.get(CallState(step.state), "")


def _decoded(arguments: str) -> dict[str, Any] | None:
    try:
        decoded = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _arguments(decoded: dict[str, Any] | None, text: str) -> Iterator[tuple[str, str]]:
    if decoded is None:
        yield "", _shortened(text, VALUE_MAX_CHARS)
        return
    for name, value in decoded.items():
        words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield name, _shortened(words, VALUE_MAX_CHARS)


def _result(step: Step) -> tuple[str, ShownTable | None, bool]:
    if step.error:
        return _shortened(step.error, RESULT_MAX_CHARS), None, False
    result = step.result or {}
    text = str(result.get("text") or "")
    table = _table(result.get("table"))
    is_cut = bool(result.get("is_cut") or result.get("length")) or len(text) > RESULT_MAX_CHARS
    return ("" if table else _shortened(text, RESULT_MAX_CHARS)), table, is_cut


def _table(stored: Any) -> ShownTable | None:
    """The stored table; None for anything else, for imported records may hold anything."""
    if not isinstance(stored, dict) or not isinstance(stored.get("columns"), list):
        return None
    rows = [row for row in stored.get("rows") or [] if isinstance(row, list)]
    links = stored.get("links") or []
    made = [([_cell(cell) for cell in row], _link(links, number)) for number, row in enumerate(rows[:ROWS_MOST])]
    return ShownTable([str(name) for name in stored["columns"]], made, max(0, len(rows) - ROWS_MOST))


def _cell(cell: Any) -> Any:
    return ("Yes" if cell else "No") if isinstance(cell, bool) else cell


def _link(links: Any, number: int) -> str:
    link = links[number] if isinstance(links, list) and number < len(links) else None
    return str(link) if is_safe(link) else ""


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
