"""Checks of imported conversations: which fields and values are accepted."""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from chatbot.telemetry import origin
from conversations.errors.replies import UnfinishedImport
from conversations.errors.table import sentence_of
from conversations.models import (
    COMMENT_MAX_CHARS,
    MODEL_MAX_CHARS,
    OPEN,
    TEMPERATURE_MAX,
    TITLE_MAX_CHARS,
    CallState,
    Decision,
    Rating,
    Role,
    Status,
)
from conversations.models.steps import ENDED
from conversations.models.tool_calls import TOOL_MAX_CHARS

TEXT_MAX_CHARS = 1_000_000
"""Characters of one message, or of its reasoning."""

ERROR_MAX_CHARS = 4_000
"""Characters of a failure's sentence, and of its technical cause: twice what this site writes."""

CALLS_MAX, CALLS_MAX_CHARS = 2_000, 1_000_000
"""Number of a message's tool calls, and their characters as JSON: twice what this site writes."""

PARAMS_MAX_CHARS = 1_000
"""Characters of what the sentence depends on, as JSON."""

NAMES_MAX = 1_000
"""Number of the tools that a conversation has turned off."""

GIVEN_UP = {"status": CallState.UNKNOWN.value, "decision": Decision.STOPPED.value}
"""Fields of an imported tool call that had not ended."""

CODE_MAX_CHARS = REASON_MAX_CHARS = 50
CODE = re.compile(r"[a-z0-9_]*")
"""Form of an error code; staff who may not read messages see it."""
OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCK_SLACK = timedelta(days=1)
COUNT_MAX = 2**31 - 1
SECONDS_MAX = 10.0**9
VISIBLE = re.compile(r"\S")


class Refused(Exception):
    """A conversation cannot be imported; the text says why, as a sentence."""


def conversation(fields: dict[str, Any]) -> dict[str, Any]:
    """The conversation's columns from the fields of the file, without its owner. Raises `Refused`."""
    title = text(fields.get("title"), "Its title", TITLE_MAX_CHARS).strip()
    if not VISIBLE.search(title):
        raise Refused("Its title is empty.")
    return {
        "id": key(fields.get("id"), "Its “id”"),
        "title": title,
        "created_at": moment(fields.get("created_at"), "Its “created_at”"),
        "updated_at": moment(fields.get("updated_at"), "Its “updated_at”"),
        "model": text(fields.get("model", ""), "Its model", MODEL_MAX_CHARS),
        "system_prompt": text(fields.get("system_prompt", ""), "Its instructions", TEXT_MAX_CHARS),
        "temperature": number(fields.get("temperature"), "Its temperature", TEMPERATURE_MAX),
        "tools_off": optional(names, fields.get("tools_off"), "Its “tools_off”"),
        "current_message_id": optional(key, fields.get("current_message"), "Its “current_message”"),
        "pinned_at": optional(moment, fields.get("pinned_at"), "Its “pinned_at”"),
        "archived_at": optional(moment, fields.get("archived_at"), "Its “archived_at”"),
    }


def message(value: Any, position: int) -> dict[str, Any]:
    """The columns of one message and its generation, by name; `parent` is a key. Raises `Refused`."""
    name = f"Message {position:,}"
    if not isinstance(value, dict):
        raise Refused(f"{name} is not an object.")
    role = value.get("role")
    if role not in Role.values:
        raise Refused(f"{name}: its role is not one of {', '.join(Role.values)}.")
    said = text(value.get("content"), f"{name}: its text", TEXT_MAX_CHARS)
    if role == Role.USER and not VISIBLE.search(said):
        raise Refused(f"{name}: its text is empty.")
    columns = {
        "id": key(value.get("id"), f"{name}: its “id”"),
        "parent_id": optional(key, value.get("parent"), f"{name}: its “parent”"),
        "role": role,
        "content": said,
        "tool_calls": tool_calls(value.get("tool_calls"), f"{name}: its “tool_calls”"),
        "created_at": moment(value.get("created_at"), f"{name}: its “created_at”"),
        "chosen_at": optional(moment, value.get("chosen_at"), f"{name}: its “chosen_at”"),
    }
    if role == Role.ASSISTANT:
        columns |= generation(value.get("generation"), name) | feedback(value.get("feedback"), name)
    return columns


def generation(value: Any, name: str) -> dict[str, Any]:
    """The columns of a generation. Raises `Refused`.

    A reply that was open is imported as ended: making it again would cost the person tokens.
    """
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise Refused(f"{name}: its generation is not an object.")
    status = value.get("status", Status.COMPLETE.value)
    if status not in Status.values:
        raise Refused(f"{name}: its status is not one of {', '.join(Status.values)}.")
    code = text(value.get("error_code", ""), f"{name}: its “error_code”", CODE_MAX_CHARS)
    if not CODE.fullmatch(code):
        raise Refused(f"{name}: its “error_code” is not a code.")
    sentence = text(value.get("error", ""), f"{name}: its “error”", ERROR_MAX_CHARS)
    parameters = error_params(value.get("error_params"), f"{name}: its “error_params”")
    if "error_params" in value and sentence == sentence_of(code, parameters):
        # It is made when it is shown, as in the place that it comes from; any other is kept as it is.
        sentence = ""
    if status in OPEN:
        status, code, parameters, sentence = Status.FAILED.value, UnfinishedImport.code, None, ""
    return {
        "status": status,
        "model": text(value.get("model", ""), f"{name}: its model", MODEL_MAX_CHARS),
        "thought": text(value.get("thought", ""), f"{name}: its thought", TEXT_MAX_CHARS),
        "thought_seconds": number(value.get("thought_seconds"), f"{name}: its “thought_seconds”", SECONDS_MAX),
        "finish_reason": text(value.get("finish_reason", ""), f"{name}: its “finish_reason”", REASON_MAX_CHARS),
        "error_code": code,
        "error_params": parameters,
        "error": sentence,
        "error_detail": text(value.get("error_detail", ""), f"{name}: its “error_detail”", ERROR_MAX_CHARS),
        "request_id": origin.id_in(text(value.get("request_id", ""), f"{name}: its “request_id”", origin.MAX_CHARS)),
        "window_cut": truth(value.get("window_cut", False), f"{name}: its “window_cut”"),
        **{
            column: count(value.get(column), f"{name}: its “{column}”")
            for column in ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
        },
        **{
            column: optional(moment, value.get(column), f"{name}: its “{column}”")
            for column in ("window_start", "started_at", "first_token_at", "finished_at")
        },
    }


def feedback(value: Any, name: str) -> dict[str, Any]:
    """The columns of a person's feedback, prefixed; empty without feedback. Raises `Refused`."""
    if value is None:
        return {}
    if not isinstance(value, dict) or value.get("rating") not in Rating.values:
        raise Refused(f"{name}: its feedback has no rating of {' or '.join(Rating.values)}.")
    return {
        "feedback_rating": value["rating"],
        "feedback_comment": text(value.get("comment", ""), f"{name}: its feedback", COMMENT_MAX_CHARS),
        "feedback_created_at": moment(value.get("created_at"), f"{name}: its feedback's “created_at”"),
        "feedback_updated_at": moment(value.get("updated_at"), f"{name}: its feedback's “updated_at”"),
    }


def optional[T](check: Callable[[Any, str], T], value: Any, what: str) -> T | None:
    """The checked value, or None for null and for a missing value. Raises what `check` raises."""
    return None if value is None else check(value, what)


def text(value: Any, what: str, most: int) -> str:
    """A text that the database can hold. Raises `Refused`; `what` begins its sentence."""
    if not isinstance(value, str):
        raise Refused(f"{what} is not a text.")
    if len(value) > most:
        raise Refused(f"{what} is longer than {most:,} characters.")
    if "\0" in value:
        raise Refused(f"{what} contains invalid characters.")
    return value


def names(value: Any, what: str) -> list[str]:
    """A list of names of tools. Raises `Refused`."""
    if not isinstance(value, list) or len(value) > NAMES_MAX:
        raise Refused(f"{what} is not a list of names.")
    return [text(name, what, TOOL_MAX_CHARS) for name in value]


def key(value: Any, what: str) -> UUID:
    """A UUID from its text. Raises `Refused`."""
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise Refused(f"{what} is not a UUID.") from None


def moment(value: Any, what: str) -> datetime:
    """A time in UTC, not before `OLDEST` and not in the future. Raises `Refused`."""
    try:
        found = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise Refused(f"{what} is not a time in ISO 8601.") from None
    if found.tzinfo is None:
        raise Refused(f"{what} lacks a time zone.")
    if not OLDEST <= found <= timezone.now() + CLOCK_SLACK:
        raise Refused(f"{what} is before the year {OLDEST.year} or in the future.")
    return found.astimezone(UTC)


def count(value: Any, what: str) -> int | None:
    """A whole number that is not negative, or None. Raises `Refused`."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= COUNT_MAX:
        raise Refused(f"{what} is not a count.")
    return value


def number(value: Any, what: str, most: float) -> float | None:
    """A number from 0 to `most`, or None. Raises `Refused`."""
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= most:
        raise Refused(f"{what} is not a number from 0 to {most:g}.")
    return float(value)


def truth(value: Any, what: str) -> bool:
    """A JSON boolean, unchanged. Raises `Refused` for any other value."""
    if not isinstance(value, bool):
        raise Refused(f"{what} is neither true nor false.")
    return value


def tool_calls(value: Any, what: str) -> list[Any] | None:
    """A list of objects that the database can hold, or None. Raises `Refused`.

    Their fields may be of any kind, as other programs write them. A call that had not ended is imported as given up.
    """
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(call, dict) for call in value):
        raise Refused(f"{what} is not a list of objects.")
    if not storable(value):
        raise Refused(f"{what} contains something that is neither text nor a number.")
    if len(value) > CALLS_MAX:
        raise Refused(f"{what} are more than {CALLS_MAX:,}.")
    if len(json.dumps(value, ensure_ascii=False)) > CALLS_MAX_CHARS:
        raise Refused(f"{what} are longer than {CALLS_MAX_CHARS:,} characters.")
    return [call | GIVEN_UP if _has_not_ended(call) else call for call in value]


def _has_not_ended(call: dict[str, Any]) -> bool:
    """Whether the call names a state from which it would go on."""
    status = call.get("status")
    known = isinstance(status, str)
    return known and (status not in ENDED or (status == CallState.UNKNOWN and not call.get("decision")))


def error_params(value: Any, what: str) -> dict[str, Any] | None:
    """An object of what a sentence depends on, or None."""
    if value is None:
        return None
    if not isinstance(value, dict) or not storable(value):
        raise Refused(f"{what} is no object of texts and numbers.")
    if len(json.dumps(value, ensure_ascii=False)) > PARAMS_MAX_CHARS:
        raise Refused(f"{what} are longer than {PARAMS_MAX_CHARS:,} characters.")
    return value


def storable(value: Any) -> bool:
    """Whether the database's JSON type can hold the value."""
    match value:
        case str():
            return "\0" not in value
        case dict():
            return all(storable(name) and storable(held) for name, held in value.items())
        case list():
            return all(map(storable, value))
        case float():
            return math.isfinite(value)
    return True
