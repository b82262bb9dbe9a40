"""The tool calls of an answer, assembled from the pieces in which providers send them."""

import json
from typing import Any
from uuid import uuid4

LATER = frozenset({"index", "id", "type"})
"""Fields that a later piece of a call may omit."""


class ToolCalls:
    """The calls so far. A call begins with an id; further pieces with its index belong to it.

    Some servers give all calls the index 0, or none; some repeat the name in each piece; some send arguments as an
    object. The result for clients is always OpenAI's form.
    """

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self._numbers: dict[int, int] = {}

    def add(self, pieces: object) -> list[dict[str, Any]]:
        """Add a chunk's pieces; returns them in the form that clients know."""
        listed = pieces if isinstance(pieces, list) else []
        return [self._add(piece) for piece in listed if isinstance(piece, dict)]

    def _add(self, piece: dict[str, Any]) -> dict[str, Any]:
        place = self._place(piece)
        new = {name: value for name, value in piece.items() if name not in LATER and value is not None}
        if place is None:
            place = len(self.calls)
            kind = piece.get("type") or "function"
            begun = {"id": piece.get("id") or f"call_{uuid4().hex[:24]}", "type": kind}
            self.calls.append(dict(begun))
            new = begun | new
        if isinstance(piece.get("index"), int):
            self._numbers[piece["index"]] = place
        call = self.calls[place]
        for name, value in list(new.items()):
            if isinstance(value, dict):
                new[name] = merge(call.setdefault(name, {}), value)
            else:
                call[name] = value
        return {"index": place} | new

    def _place(self, piece: dict[str, Any]) -> int | None:
        """Index of the call to which the piece belongs; None for a new call."""
        number, key = piece.get("index"), piece.get("id")
        place = self._numbers.get(number) if isinstance(number, int) else len(self.calls) - 1
        if place is None or place < 0:
            return None
        if key:
            return place if self.calls[place]["id"] == key else None
        function = piece.get("function")
        begins = not isinstance(number, int) and isinstance(function, dict) and bool(function.get("name"))
        return None if begins else place


def merge(whole: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    """Add a piece of a function call to the whole; returns what it added."""
    brought: dict[str, Any] = {}
    for name, value in piece.items():
        if name == "name":
            if value and not whole.get("name"):
                whole["name"] = brought["name"] = value
        elif name in {"arguments", "input"}:
            text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
            whole[name] = whole.get(name, "") + text
            brought[name] = text
        elif value is not None:
            whole[name] = brought[name] = value
    return brought
