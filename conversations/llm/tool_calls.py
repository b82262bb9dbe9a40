"""The tool calls of an answer, assembled from the pieces in which providers send them."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from conversations.llm.pieces import Pieces
from conversations.llm.protocol import Cleaner

OWN = frozenset({"index", "id", "type", "function", "custom"})
"""Fields of a piece that are read here; others are passed on as they are."""

TEXTS = {"function": "arguments", "custom": "input"}
"""Kind of a call -> the field that holds what it is called with."""

NOTHING = "{}"
"""Arguments of a call without arguments: clients decode them as JSON, which an empty text is not."""


class ToolCall:
    """One call so far, in OpenAI's form."""

    def __init__(self, key: str, given: str, kind: str) -> None:
        self.key = key
        """The call's id for clients."""
        self.given = given
        """The id that the provider gave it, or empty."""
        self.kind = kind
        self.name = ""
        self.more: dict[str, Any] = {}
        """Further fields that the provider sent."""
        self.text = Pieces()
        self._clean = Cleaner()

    @property
    def is_whole(self) -> bool:
        """Whether what it is called with is a complete JSON object, after which nothing can follow."""
        return self.text.last.rstrip().endswith("}") and is_object(str(self.text))

    def add(self, piece: dict[str, Any]) -> dict[str, Any]:
        """Add a piece's fields; returns those that it brought."""
        brought = {name: value for name, value in piece.items() if name not in OWN and value is not None}
        self.more |= brought
        body = self._add_body(called(piece))
        return brought | ({self.kind: body} if body else {})

    def _add_body(self, body: dict[str, Any]) -> dict[str, Any]:
        brought: dict[str, Any] = {}
        if not self.name and isinstance(name := body.get("name"), str) and name:
            self.name = brought["name"] = name
        if (text := said(body)) and not self.repeats(text) and (text := self._clean(text)):
            self.text.add(text)
            brought[TEXTS[self.kind]] = text
        return brought

    def end(self) -> dict[str, Any]:
        """Make the arguments complete if none came; returns what that adds."""
        if self.kind != "function" or str(self.text).strip():
            return {}
        self.text.add(NOTHING)
        return {"function": {"arguments": NOTHING}}

    def repeats(self, text: str) -> bool:
        """Whether a piece is all that came before once more, as some servers end a call."""
        return len(text) == len(self.text) and text == str(self.text) and self.is_whole

    def begun(self) -> dict[str, Any]:
        """The fields with which a call begins."""
        return {"id": self.key, "type": self.kind}

    def whole(self) -> dict[str, Any]:
        """The whole call in OpenAI's form."""
        return self.begun() | {self.kind: {"name": self.name, TEXTS[self.kind]: str(self.text)}} | self.more


class ToolCalls:
    """The calls so far. A call begins with an id or a name; further pieces with its index or id belong to it.

    Some servers give all calls the index 0, or none; some give several calls one id, or each piece another; some repeat
    the name in each piece; some send arguments as an object. The result for clients is always OpenAI's form.
    """

    def __init__(self) -> None:
        self.calls: list[ToolCall] = []
        self._numbers: dict[int, int] = {}
        self._keys: set[str] = set()

    def add(self, pieces: object) -> list[dict[str, Any]]:
        """Add a chunk's pieces; returns them in the form that clients know."""
        listed = pieces if isinstance(pieces, list) else [pieces]
        touched: set[int] = set()
        return [added for piece in listed if isinstance(piece, dict) and (added := self._add(piece, touched))]

    def take(self, name: str, value: object) -> None:
        """Add a field of an answer: pieces of `tool_calls`, or of the older `function_call`, which is one call."""
        if name == "tool_calls":
            self.add(value)
        elif name == "function_call":
            self.add({"index": 0, "type": "function", "function": value})

    def whole(self) -> list[dict[str, Any]]:
        """The calls that name a tool, complete and in OpenAI's form."""
        self.end()
        return [call.whole() for call in self.calls if call.name]

    def end(self) -> list[dict[str, Any]]:
        """Complete calls that came without arguments; returns the pieces that this adds."""
        return list(self._endings())

    def _endings(self) -> Iterator[dict[str, Any]]:
        for place, call in enumerate(self.calls):
            if added := call.end():
                yield {"index": place} | added

    def _add(self, piece: dict[str, Any], touched: set[int]) -> dict[str, Any] | None:
        """The form of one piece for clients, None if it brings nothing; `touched` are the calls of its chunk so far."""
        number, given = numbered(piece.get("index")), identified(piece.get("id"))
        place = self._place(number, given, called(piece), touched)
        is_new = place is None
        if place is None:
            place = len(self.calls)
            self.calls.append(self._begun(given, piece))
        if number is not None:
            self._numbers[number] = place
        touched.add(place)
        call = self.calls[place]
        added = call.add(piece)
        if is_new:
            body = {"name": "", TEXTS[call.kind]: ""} | added.get(call.kind, {})
            added = call.begun() | added | {call.kind: body}
        return {"index": place} | added if added else None

    def _begun(self, given: str, piece: dict[str, Any]) -> ToolCall:
        key = given if given and given not in self._keys else f"call_{uuid4().hex[:24]}"
        self._keys.add(key)
        is_custom = piece.get("type") == "custom" or (isinstance(piece.get("custom"), dict) and "function" not in piece)
        return ToolCall(key, given, "custom" if is_custom else "function")

    def _place(self, number: int | None, given: str, body: dict[str, Any], touched: set[int]) -> int | None:
        """Index of the call to which a piece belongs; None for a new call."""
        place = self._candidate(number, given)
        name = body.get("name")
        if place is None or not name or not isinstance(name, str):
            return place
        call = self.calls[place]
        # Two named pieces in one chunk are two calls, and so are two ids with a name each.
        if place in touched or (given and call.given and given != call.given):
            return None
        if call.name and name != call.name:
            return None
        text = said(body)
        return None if text.strip() and call.is_whole and not call.repeats(text) else place

    def _candidate(self, number: int | None, given: str) -> int | None:
        """Index of the call that a piece continues if it begins no new one."""
        if number is not None:
            return self._numbers.get(number)
        if given:
            same = (place for place in reversed(range(len(self.calls))) if self.calls[place].given == given)
            return next(same, len(self.calls) - 1 if self.calls else None)
        return len(self.calls) - 1 if self.calls else None


def called(piece: dict[str, Any]) -> dict[str, Any]:
    """The part of a piece that holds name and arguments."""
    bodies = (piece.get(kind) for kind in TEXTS)
    return next((body for body in bodies if isinstance(body, dict)), {})


def said(body: dict[str, Any]) -> str:
    """The arguments or the input in a piece, as text."""
    value = next((body[name] for name in TEXTS.values() if body.get(name) is not None), "")
    return value if isinstance(value, str) else json.dumps(value)


def is_object(text: str) -> bool:
    """Whether a text is a complete JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def numbered(value: object) -> int | None:
    """A call's index, also from `0.0` or `"0"`; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == value // 1 else None


def identified(value: object) -> str:
    """A call's id as text; empty for none."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def merge(whole: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    """Add a piece of the call of a function, as it was before there were tools; returns what it added."""
    brought: dict[str, Any] = {}
    for name, value in piece.items():
        if name == "name":
            if value and not whole.get("name"):
                whole["name"] = brought["name"] = value
        elif name == "arguments":
            text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
            whole[name] = whole.get(name, "") + text
            brought[name] = text
        elif value is not None:
            whole[name] = brought[name] = value
    return brought
