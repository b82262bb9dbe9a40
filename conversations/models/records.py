"""Parts of a tool call's record, as JSON: bounded when they are written, checked when they are read."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

RESULT_MAX_CHARS = 4_000
"""Characters of a result that a message records; the call's row has all of it."""

ARGUMENTS_MAX_CHARS = 20_000
"""Characters of arguments that a message records; the call's row has all of them."""

VALUES_MAX, DEPTH_MAX = 1_000, 32
"""Most values of recorded arguments, and their deepest level: of any more, their text is recorded."""

NUMBER_MAX = 2**31 - 1


def text(value: Any) -> str:
    """The value if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def whole(value: Any) -> int:
    """The value if it is a whole number of a usual size, else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= NUMBER_MAX else 0


def time(value: Any) -> str | None:
    """A time with its zone as ISO 8601, or None."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found.isoformat() if found.tzinfo else None


def written(arguments: Any) -> str:
    """Recorded arguments as a model writes them."""
    if isinstance(arguments, str):
        return arguments
    return json.dumps(arguments, ensure_ascii=False) if isinstance(arguments, dict) and arguments else "{}"


def result(value: Any) -> dict[str, Any] | None:
    """A recorded result with a text, if it has one; what is no table is left out."""
    if isinstance(value, str):
        return {"text": value}
    if not isinstance(value, dict):
        return None
    found: dict[str, Any] = {"text": text(value.get("text"))}
    if (table := value.get("table")) and _is_table(table):
        found["table"] = table
    if value.get("data") is not None:
        found["data"] = value["data"]
    if value.get("is_cut") is True:
        found["is_cut"] = True
    if whole(value.get("length")):
        found["length"] = value["length"]
    return found


def _is_table(table: Any) -> bool:
    """Whether this is a table of plain cells, as `tools.results.Result` writes one."""
    if not isinstance(table, dict) or table.keys() - {"columns", "rows", "links"}:
        return False
    columns: Any = table.get("columns")
    rows: Any = table.get("rows")
    links: Any = table.get("links", [])
    return (
        _is_list_of(columns, str)
        and len(columns) > 0
        and _is_list_of(rows, list)
        and all(len(row) == len(columns) and _is_list_of(row, str | int | float | None) for row in rows)
        and _is_list_of(links, str | None)
        and len(links) in {0, len(rows)}
    )


def _is_list_of(value: Any, kind: Any) -> bool:
    return isinstance(value, list) and all(isinstance(inner, kind) for inner in value)


def decoded(arguments: str) -> Any:
    """The arguments as a JSON object; as text when the model wrote something else, or what no database holds."""
    if len(arguments) > ARGUMENTS_MAX_CHARS:
        return arguments[:ARGUMENTS_MAX_CHARS]
    try:
        value = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return arguments
    return value if isinstance(value, dict) and _is_storable(value) else arguments


def _is_storable(value: Any) -> bool:
    """Whether the database's JSON can hold the value, and it has few values on few levels.

    A text in JSON may stand for a NUL, for half a character, or for a number without end.
    """
    level, count = [value], 0
    for _ in range(DEPTH_MAX):
        below: list[Any] = []
        for one in level:
            match one:
                case dict():
                    below += [*one, *one.values()]
                case list():
                    below += one
                case str() if "\0" in one or not _is_unicode(one):
                    return False
                case float() if not -float("inf") < one < float("inf"):
                    return False
        count += len(below)
        if not below:
            return True
        if count > VALUES_MAX:
            return False
        level = below
    return False


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def bounded(result: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The result, or only the beginning of its text when it is long."""
    if result is None or len(json.dumps(result, ensure_ascii=False)) <= RESULT_MAX_CHARS:
        return result
    return beginning(result, RESULT_MAX_CHARS)


def beginning(result: Mapping[str, Any], most: int) -> dict[str, Any]:
    """The first characters of the result's text, with the whole text's `length`."""
    said = text(result.get("text"))
    return {"text": said[:most], "length": max(whole(result.get("length")), len(said))}
