"""What a tool has returned: text for the model, a table for the page, within bounds."""

import csv
import inspect
import io
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from pydantic_core import to_jsonable_python

from tools import text as texts
from tools.define import Cell, Table

BYTES_PER_TOKEN = 3
"""UTF-8 bytes that count as one token, as in the model's window."""
SENTENCE_BYTES = 200
"""Bytes that are reserved for the sentence about what was cut."""
CELL_MAX_CHARS = 2_000
COLUMN_MAX_CHARS = 200
NOTHING = "Done."


class Unusable(Exception):
    """A tool returned something that is no result. The words of the exception name its type only."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a call has led to, as it is stored."""

    text: str
    """What the model reads, with a sentence at its end if it was cut."""
    table: Table | None = None
    """What the page shows in place of the text; cut by rows where the text is."""
    data: Any = None
    """The value in JSON, unless it is a text or was cut."""
    is_cut: bool = False
    """Whether the tool returned more than the text has."""

    @classmethod
    def of(cls, value: Any) -> "Result":
        """The result that a tool's return value is. Raises `Unusable`."""
        if value is None:
            return cls(NOTHING)
        if isinstance(value, str):
            text, is_cut = _bounded(texts.storable(value))
            return cls(text, is_cut=is_cut)
        if isinstance(value, Table):
            return _of_table(value)
        data, written = _json_of(value)
        text, is_cut = _bounded(written)
        return cls(text, data=None if is_cut else data, is_cut=is_cut)

    def to_json(self) -> dict[str, Any]:
        """The result as JSON, from which `from_json` makes it again; dates and decimals become text."""
        made: dict[str, Any] = {"text": self.text}
        if self.table:
            rows = [[_plain(cell) for cell in row] for row in self.table.rows]
            made["table"] = {"columns": list(self.table.columns), "rows": rows, "links": list(self.table.links)}
        if self.data is not None:
            made["data"] = self.data
        return made | ({"is_cut": True} if self.is_cut else {})

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Result":
        """The result that `to_json` has written."""
        table = Table(**stored["table"]) if stored.get("table") else None
        return cls(str(stored.get("text", "")), table, stored.get("data"), bool(stored.get("is_cut")))


def bound() -> int:
    """UTF-8 bytes that a result may have."""
    return int(settings.CHAT_TOOL_RESULT_TOKENS) * BYTES_PER_TOKEN


def _bounded(text: str) -> tuple[str, bool]:
    """The text, cut with a sentence about its length if it is too long, and whether it was cut."""
    # Four bytes are the most that a character has: a short text need not be encoded.
    if len(text) * 4 <= bound() or len(encoded := text.encode()) <= bound():
        return text, False
    kept = encoded[: bound() - SENTENCE_BYTES].decode(errors="ignore")
    return f"{kept}\n\n(Cut: these are the first {len(kept):,} of {len(text):,} characters.)", True


def _json_of(value: Any) -> tuple[Any, str]:
    """The value as JSON, and its text. Raises `Unusable`."""
    kind = type(value).__name__
    if inspect.iscoroutine(value):
        value.close()
        raise Unusable(f"The tool returned a {kind}: its function must be asynchronous, or not call one.")
    if isinstance(value, Iterator | AsyncIterator | QuerySet):
        raise Unusable(f"The tool returned a {kind}: it must return a list, a text or a table.")
    try:
        data = texts.storable_json(to_jsonable_python(value))
        return data, json.dumps(data, ensure_ascii=False)
    except Exception as error:  # A value's own class takes part in this.
        raise Unusable(f"The tool returned a {kind}, which cannot be written as JSON.") from error


def _of_table(table: Table) -> Result:
    """The result with as many whole rows of the table as there is room for."""
    names = tuple(texts.line(name, COLUMN_MAX_CHARS) for name in table.columns)
    links = table.links if any(table.links) else ()
    header = _line((*names, *(["link"] if links else [])))
    lines, rows, room = [header], list[tuple[Cell, ...]](), bound() - SENTENCE_BYTES - len(header.encode())
    if room < 0:
        raise Unusable(f"The tool returned a table with {len(names)} columns, which is too wide.")
    for number, cells in enumerate(table.rows):
        row = tuple(map(_cell, cells))
        written = _line((*map(_plain, row), *([links[number] or ""] if links else [])))
        room -= len(written.encode())
        if room < 0:
            break
        lines.append(written)
        rows.append(row)
    is_cut = len(rows) < len(table.rows)
    if is_cut:
        lines.append(f"\n(Cut: these are the first {len(rows):,} of {len(table.rows):,} rows.)")
    elif not rows:
        lines.append("\n(The table has no rows.)")
    return Result("".join(lines).rstrip("\n"), Table(names, rows, links[: len(rows)]), is_cut=is_cut)


def _cell(cell: Cell) -> Cell:
    return texts.shortened(texts.storable(cell), CELL_MAX_CHARS) if isinstance(cell, str) else cell


def _plain(cell: Cell) -> Any:
    """A cell's value in JSON."""
    if isinstance(cell, Decimal):
        return str(cell)
    return cell.isoformat() if isinstance(cell, date) else texts.storable_json(cell)


def _line(cells: Iterable[Any]) -> str:
    """One line of CSV, with its end."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(cells)
    return written.getvalue()
