"""Earlier replies that called tools, as messages for the model: their rounds, calls and results.

They are in the format of OpenAI's API alone, without further fields of the provider that answered then: another one may
answer now, and refuse them.
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from chatbot.core import sql
from conversations.llm.service import ChatMessage
from conversations.models.steps import Step, parts_of, recorded_steps
from conversations.replies.result_texts import result_text

NAME_MAX_CHARS, ID_CHARS = 64, 9
"""Most characters of a function's name, and those of a call's id: what the strictest providers accept."""

NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")
NO_NAME = "unknown"

CUT = "\n\n(Cut: {length:,} characters in all.)"
NO_ANSWER = "(No answer followed.)"
"""What stands after results on which the reply said nothing more: some providers refuse a question there."""

CALLS = """
    SELECT message.id, message.tool_calls, (
        SELECT jsonb_agg(jsonb_build_object(
            'key', call.id, 'tool', call.tool, 'arguments', call.arguments, 'state', call.state, 'place', call.place,
            'round', call.round, 'error', call.error, 'decision', call.decision,
            'result', CASE WHEN call.result IS NOT NULL
                THEN jsonb_build_object('text', left(call.result ->> 'text', %(most)s)) END
        ) ORDER BY call.round, call.position)
        FROM conversations_toolcall AS call WHERE call.message_id = message.id
    )
    FROM conversations_message AS message WHERE message.id = ANY(%(keys)s)
"""


class Acted(NamedTuple):
    """What is stored of a reply's calls, each as JSON text."""

    message_id: UUID
    recorded: str | None
    """What the message recorded of them."""
    rows: str | None
    """Their rows; None where there are none any more, as after an import."""


def read(message_ids: Collection[UUID], *, most: int) -> dict[UUID, list[Step]]:
    """The calls of these replies, with the first `most` characters of each result. Causes a query."""
    found = sql.rows(Acted, CALLS, {"keys": list(message_ids), "most": most})
    return {acted.message_id: _steps(acted) for acted in found}


def messages(message_id: UUID, text: str, steps: Sequence[Step]) -> list[ChatMessage]:
    """The reply as messages, oldest first: the text of each round with its calls, their results, the text after them.

    The ids of its calls are unique among all replies, and the same each time.
    """
    return list(_messages(message_id, text, steps))


def _messages(message_id: UUID, text: str, steps: Sequence[Step]) -> Iterator[ChatMessage]:
    number = 0
    for _, said, named in parts_of(text, steps):
        if not named:
            yield ChatMessage("assistant", said if said.strip() else NO_ANSWER)
            continue
        keys = [_id(message_id, number + place) for place in range(len(named))]
        number += len(named)
        more: dict[str, Any] = {"tool_calls": [_named(step, key) for step, key in zip(named, keys, strict=True)]}
        # Some providers refuse an empty text.
        yield ChatMessage("assistant", said, more if said.strip() else more | {"content": None})
        for step, key in zip(named, keys, strict=True):
            yield ChatMessage("tool", _result(step), {"tool_call_id": key})


def _steps(acted: Acted) -> list[Step]:
    if acted.rows:
        return [Step(**row) for row in json.loads(acted.rows)]
    return recorded_steps(json.loads(acted.recorded or "null"))


def _id(message_id: UUID, number: int) -> str:
    return sha256(f"{message_id.hex}{number}".encode()).hexdigest()[:ID_CHARS]


def _named(step: Step, key: str) -> dict[str, Any]:
    name = NOT_IN_A_NAME.sub("_", step.tool)[:NAME_MAX_CHARS] or NO_NAME
    return {"id": key, "type": "function", "function": {"name": name, "arguments": _arguments(step.arguments)}}


def _arguments(text: str) -> str:
    """The arguments if they are a JSON object, else none: many servers refuse a whole request for any other."""
    try:
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        is_object = False
    return text if is_object else "{}"


def _result(step: Step) -> str:
    text = result_text(step)
    length = (step.result or {}).get("length")
    return f"{text}{CUT.format(length=length)}" if length else text
