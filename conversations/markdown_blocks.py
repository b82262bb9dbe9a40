"""Cutting growing Markdown into blocks that never change again and can be rendered on their own.

A block is one or more of CommonMark's top-level blocks. Where it ends depends on whole lines alone, each looked at
once, so the cuts are the same however the text arrives.
"""

import re
from dataclasses import dataclass

FENCE = re.compile(r"(?P<mark>`{3,})(?P<info>[^`\n]*)\n|(?P<tildes>~{3,})(?P<rest>[^\n]*)\n")
HEADING = re.compile(r"#{1,6}[ \t\n]")
MARKER = re.compile(r"(?:(?P<bullet>[-+*])|(?P<number>\d{1,9})(?P<point>[.)]))(?P<space>[ \t]+(?=[^ \t\n])|[ \t]*\n)")
RULE = re.compile(r"(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})\n")
# An item with nothing in it or the end of its code: no paragraph that could go on in the next line.
NO_PARAGRAPH = re.compile(r"[ \t]*(?:[-+*]|\d{1,9}[.)]|`{3,}|~{3,})[ \t]*\n")
TAB = 4
CODE_INDENT = 4
"""Columns from which a line is code, and no longer a heading, a fence or a list."""
NESTING_MAX = 40
"""Quotes and list items that one line may open; browsers give up at some hundreds of nested elements."""


@dataclass(frozen=True, slots=True)
class Fence:
    """The line that opens a fenced code block."""

    mark: str
    info: str
    indent: int

    def closes(self, body: str) -> bool:
        """Whether a line, without its indent, ends the code."""
        return body.startswith(self.mark) and not body.strip(" \t\n").strip(self.mark[0])

    def content(self, line: str) -> str:
        """A line of the code without the indent of its fence."""
        if not self.indent:
            return line
        return line[min(self.indent, len(line) - len(line.lstrip(" "))) :]


@dataclass(frozen=True, slots=True)
class Block:
    """Source of a finished block: Markdown, or the bare code when `fence` is set."""

    text: str
    fence: Fence | None = None


class Splitter:
    """Takes lines, gives finished blocks; what is still open is in `lines`, as `fence` code or as Markdown."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.size = 0
        self.fence: Fence | None = None
        self._blank = False
        self._list = ""
        self._items: list[int] = []
        self._nested: Fence | None = None
        self._quote = False

    @property
    def nested_fence(self) -> Fence | None:
        """The fence of code within a list or a quote that is still open."""
        return self._nested

    def feed(self, line: str) -> list[Block]:
        """Take one whole line, with its line feed; return the blocks that it ends."""
        body = line.lstrip(" \t")
        if self.fence is not None:
            return self._feed_code(line, body)
        if body == "\n":
            if self.lines:
                self._keep(line)
                self._blank = True
            return []
        indent = columns(line[: len(line) - len(body)])
        if self._items and self._continues_list(indent, body):
            self._keep(line)
            return []
        blocks = []
        if self._items or (self._blank and indent < CODE_INDENT):
            blocks = self.finish()
        return blocks + self._feed_fresh(line, indent, body)

    def begins(self, partial: str) -> bool:
        """Whether a line's first characters alone show that what is open ends before it."""
        body = partial.lstrip(" \t")
        if not (self._blank and body) or self.fence is not None:
            return False
        indent = columns(partial[: len(partial) - len(body)])
        if self._items:
            return indent < self._items[0] and not (body[0] in "-+*" or body[0].isdigit())
        return indent < CODE_INDENT

    def finish(self) -> list[Block]:
        """End what is open."""
        blocks = [Block("".join(self.lines), self.fence)] if self.lines or self.fence is not None else []
        self.lines, self.size, self.fence = [], 0, None
        self._list, self._items, self._nested = "", [], None
        self._blank = self._quote = False
        return blocks

    def _keep(self, line: str) -> None:
        self.lines.append(line)
        self.size += len(line)
        self._blank = False

    def _feed_code(self, line: str, body: str) -> list[Block]:
        assert self.fence is not None  # noqa: S101 (tells the type checker what `feed` has asked)
        if self.fence.closes(body) and columns(line[: len(line) - len(body)]) < CODE_INDENT:
            return self.finish()
        self._keep(self.fence.content(line))
        return []

    def _feed_fresh(self, line: str, indent: int, body: str) -> list[Block]:
        """A line outside any list."""
        if indent < CODE_INDENT:
            if fence := fence_of(indent, body):
                blocks = self.finish()
                self.fence = fence
                return blocks
            if HEADING.match(body):
                return [*self.finish(), Block(line)]
            if RULE.match(body):
                # Below a paragraph it makes a heading of it.
                self._keep(line)
                return self.finish()
            marker = MARKER.match(body)
            if marker and (not self.lines or self._quote or _interrupts(marker)):
                self._keep(line)
                self._list = _kind(marker)
                self._nested = None
                self._nest(indent, body)
                return []
        self._follow_quote(body)
        self._keep(line)
        return []

    def _continues_list(self, indent: int, body: str) -> bool:
        """Whether a line belongs to the open list; follows its items and their code."""
        if indent >= self._items[0]:
            self._nest(indent, body)
            return True
        self._nested = None
        ended = self._blank or NO_PARAGRAPH.fullmatch(self.lines[-1])
        marker = MARKER.match(body) if not RULE.match(body) else None
        if marker and indent < CODE_INDENT:
            if _kind(marker) != self._list:
                return False
            self._items.clear()
            self._nest(indent, body)
            return True
        # A paragraph within an item goes on in lines that are not indented; nothing else does.
        starts = indent < CODE_INDENT and (body[0] == ">" or _stands_alone(indent, body))
        return not (ended or starts)

    def _follow_quote(self, body: str) -> None:
        """Follow the fences of code within a quote; a line without its sign ends them."""
        inner = body.lstrip("> ")
        self._quote = self._quote or body[0] == ">"
        if body[0] != ">":
            self._nested = None
        elif self._nested is None:
            self._nested = fence_of(0, inner)
        elif self._nested.closes(inner):
            self._nested = None

    def _nest(self, indent: int, body: str) -> None:
        """Follow the items that a line opens or leaves, and the fences of code within them."""
        items = self._items
        while len(items) > 1 and indent < items[-1]:
            items.pop()
            self._nested = None
        if self._nested is not None:
            if self._nested.closes(body) and indent < items[-1] + CODE_INDENT:
                self._nested = None
            return
        for _ in range(NESTING_MAX):
            marker = MARKER.match(body)
            if not marker or indent >= (items[-1] if items else 0) + CODE_INDENT:
                break
            if RULE.match(body):
                return
            space = 0 if marker["space"].endswith("\n") else columns(marker["space"])
            width = marker.end("space") - len(marker["space"])
            items.append(indent + width + (space if 0 < space <= CODE_INDENT else 1))
            indent += width + space
            body = body[marker.end() :]
            if not body:
                return
        if indent < (items[-1] if items else 0) + CODE_INDENT:
            self._nested = fence_of(indent, body)


def fence_of(indent: int, body: str) -> Fence | None:
    """The fence that a whole line opens, if it does."""
    match = FENCE.match(body)
    if match is None:
        return None
    mark = match["mark"] or match["tildes"]
    return Fence(mark, (match["info"] or match["rest"] or "").strip(), indent)


def columns(space: str) -> int:
    """Width of spaces and tabs."""
    return len(space.expandtabs(TAB)) if "\t" in space else len(space)


def _stands_alone(indent: int, body: str) -> bool:
    return bool(fence_of(indent, body) or HEADING.match(body) or RULE.match(body))


def _kind(marker: re.Match[str]) -> str:
    """Items with the same sign are one list."""
    return marker["bullet"] or marker["point"]


def _interrupts(marker: re.Match[str]) -> bool:
    """Whether an item may follow a paragraph without a blank line between."""
    return marker["number"] in (None, "1") and not marker["space"].endswith("\n")
