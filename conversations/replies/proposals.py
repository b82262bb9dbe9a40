"""The calls that a model named in a round, as rows: what can be known of each without its person is decided here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from conversations.errors.replies import TooManyCalls
from conversations.models import CallState, Decision, ReplyRound, ToolCall
from conversations.models.tool_calls import TOOL_MAX_CHARS
from conversations.replies.offers import Offer
from conversations.replies.rounds import Round
from tools import text as texts
from tools.registry import ArgumentsRefused, Tool

CALLS_MOST = 100
"""Calls that a model may name in one round."""

ID_MAX_CHARS = 200

NOBODY_TO_ASK = (
    "The tool was not run: the person has to be asked before it runs, and a program cannot answer for them. They can "
    "ask for it in the chat."
)
"""What the model reads of a tool that asks, where nobody is there to be asked."""

OF_ROUND = frozenset({"message_id", "user_id"})
"""Columns of the calls that their round has, too."""

OWN = frozenset({"id", "type", "function"})
"""Fields of a call that it has in every provider's answer."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the model said in a round that ended with calls."""

    text: str
    place: int
    """Characters of the reply's text at its end."""
    reasoning: str
    items: Mapping[str, Any]
    calls: Sequence[Mapping[str, Any]]
    """The calls in OpenAI's form."""

    @property
    def names(self) -> set[str]:
        """Names of the tools that the model called."""
        return {_name(named) for named in self.calls}


def round_of(said: Said, *, number: int, offer: Offer, columns: Mapping[str, Any]) -> Round:
    """The unsaved rows of a round and its calls, which have these further columns. Raises `TooManyCalls`."""
    if len(said.calls) > CALLS_MOST:
        raise TooManyCalls(limit=CALLS_MOST)
    row = ReplyRound(
        **{name: value for name, value in columns.items() if name in OF_ROUND},
        number=number,
        text=said.text,
        reasoning=said.reasoning,
        items=texts.storable_json(dict(said.items)) or None,
    )
    added = Round(row)
    for position, named in enumerate(said.calls):
        call = ToolCall(
            **columns,
            round=number,
            position=position,
            place=said.place,
            provider_id=_other_id(str(named.get("id") or ""), added.calls),
            tool=_name(named),
            arguments=texts.storable(str(_function(named).get("arguments") or "")),
            extra=texts.storable_json({name: value for name, value in named.items() if name not in OWN}) or None,
        )
        _decide(call, offer, added.calls)
        added.calls.append(call)
    return added


def _decide(call: ToolCall, offer: Offer, before: Sequence[ToolCall]) -> None:
    """Say whether the call runs at once, asks first, waits for the calls before it, or cannot be made."""
    now = timezone.now()
    tool = offer.tools.get(call.tool)
    if error := _refusal(tool, call, offer):
        call.state, call.error, call.finished_at = CallState.FAILED, error, now
        return
    has_to_ask = offer.has_to_ask([call.tool])
    is_held = any(earlier.is_undecided for earlier in before) and not (tool and tool.read_only)
    if has_to_ask and call.tool not in offer.allowed:
        call.state = CallState.WAITING
    elif is_held:
        call.state = CallState.PROPOSED
    else:
        call.state, call.decided_at = CallState.APPROVED, now
        call.decision = Decision.ALWAYS if has_to_ask else Decision.POLICY


def _refusal(tool: Tool | None, call: ToolCall, offer: Offer) -> str:
    """Why the call cannot be made, in words for the model; empty if it can."""
    if tool is None:
        names = ", ".join(offer.tools) or "none"
        return f"There is no tool {call.tool!r} here. The tools are: {names}."
    if offer.refuses(call.tool):
        return NOBODY_TO_ASK
    try:
        tool.arguments(call.arguments)
    except ArgumentsRefused as refused:
        return str(refused)
    return ""


def _function(named: Mapping[str, Any]) -> Mapping[str, Any]:
    return named.get("function") or named.get("custom") or {}


def _name(named: Mapping[str, Any]) -> str:
    return texts.storable(str(_function(named).get("name") or ""))[:TOOL_MAX_CHARS]


def _other_id(key: str, before: Sequence[ToolCall]) -> str:
    """The provider's id of a call, or another one if an earlier call of the round has it."""
    key = texts.storable(key)[:ID_MAX_CHARS]
    taken = {call.provider_id for call in before}
    return key if key and key not in taken else f"call_{len(before)}{key}"[:ID_MAX_CHARS]
