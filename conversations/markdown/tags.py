"""The few HTML tags, without attributes, that models use beyond Markdown: which of them take effect.

A tag takes effect when its partner is in the same paragraph, or in the same block for `<details>`; otherwise it is
text.
"""

import re
from dataclasses import dataclass
from typing import Literal

from conversations.markdown.source import LESS, Piece, bare

PLACES: dict[str, Literal["break", "apart"]] = {"br": "break", "details": "apart", "summary": "apart"}
NAMES = ("sub", "sup", "kbd", "summary", "details")
LINE_MAX = 2_000
"""Characters of a line that are read before a tag in it."""

NESTED_MAX = 8
"""Tags of a kind within each other; deeper ones are text."""

BEGINS_LINE = re.compile(r"(?:[ \t>]*(?:(?:[-+*]|\d{1,9}[.)])[ \t]+)*|[ \t>]*\|.*)\Z")
# The end of a text that grows: an unfinished tag is not shown.
WRITTEN = ["br", "br/", "br /", "!--", *(f"{slash}{name}" for slash in ("", "/") for name in NAMES)]
HALF = re.compile(
    rf"{LESS}(?:{'|'.join(sorted({re.escape(tag[:size]) for tag in WRITTEN for size in range(len(tag) + 1)}))})\Z",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Tag:
    name: str
    start: int
    end: int
    paragraph: int
    is_closer: bool
    counts: bool = False


class Tags:
    """The tags of a text, in order."""

    def __init__(self, text: str, *, is_open: bool) -> None:
        self._text = text
        self._is_open = is_open
        self._tags: list[_Tag] = []
        self._unclosed: dict[str, list[_Tag]] = {}

    def add(self, written: str, start: int, end: int, paragraph: int) -> None:
        """Take the next tag, `written` without its `<`; `paragraph` is the offset of its paragraph's end."""
        name = written.strip("/> \t").lower().removesuffix("open").rstrip()
        tag = _Tag(name, start, end, paragraph, written[0] == "/")
        if name in ("details", "summary") and not self._may_fold(tag):
            return
        unclosed = self._unclosed.setdefault(name, [])
        if name != "details" and unclosed and unclosed[-1].paragraph != paragraph:
            unclosed.clear()
        if name == "br":
            tag.counts = True
        elif not tag.is_closer:
            if len(unclosed) == NESTED_MAX:
                return
            unclosed.append(tag)
        elif unclosed:
            tag.counts = unclosed.pop().counts = True
        self._tags.append(tag)

    def pieces(self) -> list[tuple[int, int, Piece]]:
        """The tags that take effect, each with its start and end offsets."""
        for name, tags in self._unclosed.items():
            for tag in tags:
                # The sanitiser closes the tags that are still open.
                tag.counts = self._stays_open(name, tag)
        return [(tag.start, tag.end, self._piece(tag)) for tag in self._tags if tag.counts]

    def _may_fold(self, tag: _Tag) -> bool:
        """Whether the tag is at an allowed place: `<details>` begins a line, `<summary>` comes first in it."""
        if tag.is_closer:
            return True
        if tag.name == "summary":
            last = self._tags[-1] if self._tags else None
            between = self._text[last.end : tag.start] if last else "x"
            return last is not None and last.name == "details" and not (last.is_closer or between.strip(" \t\n>"))
        floor = max(tag.start - LINE_MAX, 0)
        line = self._text.rfind("\n", floor, tag.start) + 1
        return line >= floor and BEGINS_LINE.match(self._text[line : tag.start]) is not None

    def _stays_open(self, name: str, tag: _Tag) -> bool:
        if name == "details":
            at = self._tags.index(tag) + 1
            return self._is_open or (at < len(self._tags) and self._tags[at].name == "summary")
        return self._is_open and tag.paragraph == len(self._text)

    def _piece(self, tag: _Tag) -> Piece:
        written = bare(self._text[tag.start : tag.end])
        html = f"<{'/' * tag.is_closer}{tag.name}>"
        return Piece(written, html, PLACES.get(tag.name, "line"))
