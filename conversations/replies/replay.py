"""The rounds of a reply as messages for the model: what it said, the calls that it named, their results."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from conversations.llm.service import ChatMessage
from conversations.models import CallState, ToolCall
from conversations.replies import context
from conversations.replies.result_texts import result_text
from conversations.replies.rounds import Round
from tools.results import BYTES_PER_TOKEN

SAME_TOLD = 3
"""Calls of one tool with the same arguments and the same result from which the model is told so."""

SAME = "(This is the call number {count} with the same result. Go on with what you know.)"
CUT = "(Cut: {length:,} characters in all. There is no room for more.)"
TOLD = "These are the results of what you have just done:\n\n{results}\n\nGo on with your answer."
"""What a model that is offered no tools reads after its words of a round."""
NO_WORDS = "(I used tools.)"
LEAST_TOKENS = 50
"""Tokens that the result of a call gets in any case."""

type Write = Callable[[Round, Mapping[UUID, int], int | None], Iterator[ChatMessage]]
"""Writes a round as messages, each result in at most so many tokens if they are given."""


def messages(rounds: Sequence[Round], *, room: int) -> list[ChatMessage]:
    """The rounds as messages in the provider's format, oldest first, in about `room` tokens.

    The newest round is always there, with its results cut if need be; older ones are there whole or not at all, so that
    no call is parted from its result.
    """
    return _newest(rounds, _round, room)


def told(rounds: Sequence[Round], *, room: int) -> list[ChatMessage]:
    """The rounds as messages in plain words, for a request that offers no tools; chosen as by `messages`."""
    return _newest(rounds, _told, room)


def _newest(rounds: Sequence[Round], write: Write, room: int) -> list[ChatMessage]:
    repeats = _repeats(rounds)
    parts: list[list[ChatMessage]] = []
    for said in reversed(rounds):
        part = list(write(said, repeats, None))
        size = context.tokens_of(part)
        if size > room:
            if parts:
                break
            part = list(write(said, repeats, max(LEAST_TOKENS, room // max(1, len(said.calls)))))
        room -= size
        parts.append(part)
    return [message for part in reversed(parts) for message in part]


def same_results(rounds: Sequence[Round]) -> int:
    """How often that call of the last round was made with the same result that was repeated most."""
    repeats = _repeats(rounds)
    return max((repeats.get(call.pk, 0) for call in rounds[-1].calls), default=0) if rounds else 0


def _round(said: Round, repeats: Mapping[UUID, int], most: int | None) -> Iterator[ChatMessage]:
    calls = [_named(call) for call in said.calls]
    more: dict[str, Any] = {"tool_calls": calls} | (said.said.items or {})
    if not said.said.text:
        # Providers write null themselves where there is no text, and some refuse an empty one.
        more["content"] = None
    yield ChatMessage("assistant", said.said.text, more)
    for call in said.calls:
        yield ChatMessage("tool", _result(call, repeats, most), {"tool_call_id": call.provider_id})


def _told(said: Round, repeats: Mapping[UUID, int], most: int | None) -> Iterator[ChatMessage]:
    results = (f"{call.tool}({call.arguments}): {_result(call, repeats, most)}" for call in said.calls)
    yield ChatMessage("assistant", said.said.text or NO_WORDS)
    yield ChatMessage("user", TOLD.format(results="\n\n".join(results)))


def _result(call: ToolCall, repeats: Mapping[UUID, int], most: int | None) -> str:
    """What the model reads as the result of a call, in at most so many tokens if they are given."""
    text = result_text(call)
    if most is not None and len(text.encode()) > most * BYTES_PER_TOKEN:
        kept = text.encode()[: most * BYTES_PER_TOKEN].decode(errors="ignore")
        # A result that was cut before says at its end how long it was.
        before = text.rpartition("\n\n")[2] if (call.result or {}).get("is_cut") else ""
        text = f"{kept}\n\n{CUT.format(length=len(text))} {before}".rstrip()
    if (count := repeats.get(call.pk, 0)) >= SAME_TOLD:
        text = f"{text}\n\n{SAME.format(count=count)}"
    return text


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
