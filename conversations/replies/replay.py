"""The rounds of a reply as messages for the model: what it said, the calls that it named, their results."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from conversations.llm.service import ChatMessage
from conversations.models import CallState, ToolCall
from conversations.replies import context
from conversations.replies.rounds import Round
from tools.results import BYTES_PER_TOKEN, Result

SAME_TOLD = 3
"""Calls of one tool with the same arguments and the same result from which the model is told so."""

DECLINED = "The person declined this call. It did not happen."
EXPIRED = "The person did not answer in time, so this call was not made."
UNKNOWN = "It is not known whether this call happened, and the person chose to go on without making it again."
SAME = "(This is the call number {count} with the same result. Go on with what you know.)"
CUT = "(Cut: {length:,} characters in all. There is no room for more.)"
LEAST_TOKENS = 50
"""Tokens that the result of a call gets in any case."""


def messages(rounds: Sequence[Round], *, room: int) -> list[ChatMessage]:
    """The rounds as messages, oldest first, in about `room` tokens.

    The newest round is always there, with its results cut if need be; older ones are there whole or not at all, so that
    no call is parted from its result.
    """
    repeats = _repeats(rounds)
    parts: list[list[ChatMessage]] = []
    for said in reversed(rounds):
        part = list(_round(said, repeats))
        size = context.tokens_of(part)
        if size > room:
            if parts:
                break
            part = list(_round(said, repeats, most=max(LEAST_TOKENS, room // max(1, len(said.calls)))))
        room -= size
        parts.append(part)
    return [message for part in reversed(parts) for message in part]


def same_results(rounds: Sequence[Round]) -> int:
    """How often the call that was repeated most came to the same result."""
    return max(_repeats(rounds).values(), default=0)


def result_text(call: ToolCall) -> str:
    """What the model reads as the result of an ended call."""
    match call.state:
        case CallState.DONE:
            return Result.from_json(call.result or {}).text
        case CallState.DECLINED:
            return EXPIRED if call.decision == "expired" else call.error or DECLINED
        case CallState.UNKNOWN:
            return call.error or UNKNOWN
    return call.error


def _round(said: Round, repeats: Mapping[UUID, int], *, most: int | None = None) -> Iterator[ChatMessage]:
    calls = [_named(call) for call in said.calls]
    more: dict[str, Any] = {"tool_calls": calls} | (said.said.items or {})
    if not said.said.text:
        # Providers write null themselves where there is no text, and some refuse an empty one.
        more["content"] = None
    yield ChatMessage("assistant", said.said.text, more)
    for call in said.calls:
        text = result_text(call)
        if most is not None and len(text.encode()) > most * BYTES_PER_TOKEN:
            kept = text.encode()[: most * BYTES_PER_TOKEN].decode(errors="ignore")
            text = f"{kept}\n\n{CUT.format(length=len(text))}"
        if (count := repeats.get(call.pk, 0)) >= SAME_TOLD:
            text = f"{text}\n\n{SAME.format(count=count)}"
        yield ChatMessage("tool", text, {"tool_call_id": call.provider_id})


def _named(call: ToolCall) -> dict[str, Any]:
    """The call as the provider named it."""
    function = {"name": call.tool, "arguments": call.arguments or "{}"}
    return {"id": call.provider_id, "type": "function", "function": function} | (call.extra or {})


def _identity(call: ToolCall) -> tuple[str, ...]:
    try:
        arguments = json.dumps(json.loads(call.arguments or "{}"), sort_keys=True)
    except (ValueError, RecursionError):
        arguments = call.arguments
    return call.tool, arguments, result_text(call)


def _repeats(rounds: Sequence[Round]) -> dict[UUID, int]:
    """For each call that ran, how many so far came to the same result, itself included."""
    seen: Counter[tuple[str, ...]] = Counter()
    repeats: dict[UUID, int] = {}
    for call in (call for said in rounds for call in said.calls):
        if call.state in {CallState.DONE, CallState.FAILED}:
            seen[_identity(call)] += 1
            repeats[call.pk] = seen[_identity(call)]
    return repeats
