"""Cut growing Markdown into blocks that never change again and can be rendered separately.

A block is one or more of CommonMark's top-level blocks. Its end depends on whole lines only, and each line is read
once: the cuts do not depend on how the text arrives.
"""

import re
from dataclasses import dataclass

from conversations.markdown.budget import BLOCK_FULL, CODE_FULL, COST_MAX, LIST_FULL, cost
from conversations.markdown.fences import Fence, MarkdownCode, fence_of

FOOTNOTE = re.compile(r"\[\^(?P<label>[^\]\[\n]{1,80})\]:[ \t]*")
DEFINITION = re.compile(r"\[[^\]\[\n]{1,200}\]:[ \t]*\S")
COMMENT, COMMENT_END = "<!--", "-->"
FOLD = re.compile(r"<(/?)details(?:[ ]+open)?[ \t]*>", re.IGNORECASE)
CONTAINERS = re.compile(r"^[ \t>]*(?:(?:[-+*]|\d{1,9}[.)])[ \t]+)*")
TITLE_LINES = 4
"""Lines at the start of a `<details>` element in which its `<summary>` is searched."""
SUMMARY = re.compile(r"[ \t]*<summary", re.IGNORECASE)
CODE_SPAN = re.compile(r"(`+)[^`]+\1")
HEADING = re.compile(r"#{1,6}[ \t\n]")
MARKER = re.compile(r"(?:(?P<bullet>[-+*])|(?P<number>\d{1,9})(?P<point>[.)]))(?P<space>[ \t]+(?=[^ \t\n])|[ \t]*\n)")
RULE = re.compile(r"(?:\*[ \t]*\*[ \t]*\*[* \t]*|-[ \t]*-[ \t]*-[- \t]*|_[ \t]*_[ \t]*_[_ \t]*)\n")
# An empty list item, or the line that closes code: no paragraph that the next line could continue.
NO_PARAGRAPH = re.compile(r"[ \t]*(?:[-+*]|\d{1,9}[.)]|`{3,}|~{3,})[ \t]*\n")
# The delimiter row under a table's head.
TABLE = re.compile(r"[ \t>]*[|:]?[-|: \t]*-[-|: \t]*\n")
TAB = 4
CODE_INDENT = 4
"""Columns of indent from which a line is code instead of a heading, a fence or a list."""
NESTING_MAX = 40
"""Quotes and list items that one line may open; browsers fail at some hundreds of nested elements."""


@dataclass(frozen=True, slots=True)
class Block:
    """Source of a finished block: Markdown, or bare code when `fence` is set."""

    text: str
    fence: Fence | None = None
    start: int | None = None
    """Number of the first item when the block continues a list that was too long for one block, else None."""


class Splitter:
    """Takes lines and returns finished blocks; `lines` holds the open block: code if `fence` is set, else Markdown."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.size = 0
        self.fence: Fence | None = None
        self._blank = False
        self._list = ""
        self._items: list[int] = []
        self._nested: Fence | None = None
        self._quote = False
        self._folds = 0
        self._comment = False
        self._markdown: MarkdownCode | None = None
        self._after: list[str] | None = None
        self._plain_end = 0
        self._may_nest = True
        self._cost = 0.0
        self._counted = 0
        self._first: int | None = None
        self._count = 0
        self._start: int | None = None
        self._next: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a block that has not ended."""
        return bool(self.lines) or self.fence is not None

    def cost(self) -> float:
        """Upper bound of the cost of rendering the open lines, 0 while they are short; counts each line once."""
        if self.size * COST_MAX > LIST_FULL:
            self._cost += sum(map(cost, self.lines[self._counted :]))
            self._counted = len(self.lines)
        return self._cost

    @property
    def nested_fence(self) -> Fence | None:
        """The innermost open code fence within a list or a quote, if any."""
        return self._nested

    def feed(self, line: str) -> list[Block]:
        """Take one whole line, with its line feed; return the blocks that it ends."""
        if self.fence is None and self.size * COST_MAX > BLOCK_FULL and self.cost() + cost(line) > BLOCK_FULL:
            return self._cut(line) + self._feed(line)
        return self._feed(line)

    def _feed(self, line: str) -> list[Block]:
        body = line.lstrip(" \t")
        if self.fence is not None:
            return self._feed_code(line, body)
        if self._folds:
            return self._feed_fold(line)
        if self._comment:
            self._keep(line)
            return self.finish() if COMMENT_END in line else []
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

    @property
    def may_end(self) -> bool:
        """Whether the first characters of the next line can show that the open block ends before it."""
        return bool(self.lines) and self.fence is None

    def begins(self, partial: str) -> bool:
        """Whether the first characters of a line are enough to show that the open block ends before it."""
        body = partial.lstrip(" \t")
        if not body or self.fence is not None or self._folds or self._comment:
            return False
        is_note = body[0] == "[" and self.lines and FOOTNOTE.match(body)
        indent = columns(partial[: len(partial) - len(body)]) if self._blank or is_note else 0
        if is_note and indent < CODE_INDENT:
            return True
        if not self._blank:
            return False
        if self._items:
            return indent < self._items[0] and not (body[0] in "-+*" or body[0].isdigit())
        return indent < CODE_INDENT

    def finish(self) -> list[Block]:
        """End the open block at the end of the text and return the finished blocks."""
        if self._after is None:
            return self._end()
        # Code marked as Markdown was never closed: the first line that could have closed it did.
        lines = self._after
        del self.lines[self._plain_end :]
        self._may_nest = False
        blocks = self._end()
        for line in lines:
            blocks += self.feed(line)
        return blocks + self._end()

    def _end(self) -> list[Block]:
        blocks = [Block("".join(self.lines), self.fence, self._start)] if self.is_open else []
        self.lines, self.size, self.fence = [], 0, None
        self._cost, self._counted = 0.0, 0
        self._list, self._items, self._nested, self._start = "", [], None, None
        self._blank = self._quote = self._comment = False
        self._folds, self._markdown, self._after = 0, None, None
        return blocks

    def _cut(self, line: str) -> list[Block]:
        """End a block that has become too long before this line; a table continues with its head repeated."""
        head = self.lines[:2]
        is_table = not self._items and "|" in head[0] and TABLE.fullmatch(head[-1]) and line.strip()
        if self._folds:
            return self._cut_fold()
        blocks = self._end()
        if is_table and sum(map(cost, head)) < BLOCK_FULL / 2:
            for row in head:
                self._keep(row)
        return blocks

    def _cut_fold(self) -> list[Block]:
        """End a `<details>` that has become too long: the next block opens it again, with the same title and fence."""
        nested, folds = self._nested, self._folds
        titled = next((at for at, line in enumerate(self.lines[:TITLE_LINES]) if "</summary>" in line.lower()), -1)
        head = [*self.lines[: titled + 1]]
        if titled < 0 or sum(map(cost, head)) > BLOCK_FULL / 2:
            head = ["<details>\n"]
        blocks = self._end()
        for line in [*head, *["<details>\n"] * (folds - 1), "\n"]:
            self._keep(line)
        self._folds = folds
        if nested is not None:
            self._nested = nested
            self._keep(f"{nested.mark}{nested.info}\n")
        return blocks

    def _keep(self, line: str) -> None:
        self.lines.append(line)
        self.size += len(line)
        self._blank = False

    def _feed_code(self, line: str, body: str) -> list[Block]:
        assert self.fence is not None  # noqa: S101 (tells the type checker what `feed` has asked)
        closes = self.fence.closes(body) and columns(line[: len(line) - len(body)]) < CODE_INDENT
        if self._markdown is None:
            if closes:
                return self._end()
        elif blocks := self._feed_markdown(line, body, closes=closes):
            return blocks
        blocks = []
        if self._markdown is None and self.size > CODE_FULL:
            blocks = [Block("".join(self.lines), self.fence)]
            self.lines, self.size = [], 0
        self._keep(self.fence.content(line))
        return blocks

    def _feed_markdown(self, line: str, body: str, *, closes: bool) -> list[Block]:
        """Take a line of code marked as Markdown, which may hold fenced code; returns blocks once it has ended."""
        assert self._markdown is not None  # noqa: S101 (as above)
        code = self._markdown
        was_held = code.held
        code.follow(body)
        if code.ended:
            if was_held:
                # The held line before this one was the closing fence.
                self.lines.pop()
            return self._end()
        if self._after is not None:
            self._after.append(line)
        elif closes:
            self._after, self._plain_end = [], len(self.lines)
        return []

    def _feed_fold(self, line: str) -> list[Block]:
        """Take a line of a `<details>` element, which ends with its last closing tag outside code."""
        self._keep(line)
        body = CONTAINERS.sub("", line, count=1)
        if self._nested is not None:
            if self._nested.closes(body):
                self._nested = None
            return []
        self._nested = fence_of(0, body)
        if self._nested is None:
            for tag in FOLD.finditer(CODE_SPAN.sub("", line)):
                self._folds += -1 if tag[1] else 1
        return self._end() if self._folds <= 0 else []

    def _feed_fresh(self, line: str, indent: int, body: str) -> list[Block]:
        """Take a line outside any list."""
        if indent < CODE_INDENT:
            if fence := fence_of(indent, body):
                blocks = self.finish()
                self.fence = fence
                self._markdown = MarkdownCode(fence) if fence.is_markdown and self._may_nest else None
                return blocks
            if _folds(body):
                return self.finish() + self._feed_fold(line)
            if body.startswith(COMMENT) and COMMENT_END not in body:
                blocks = self.finish()
                self._keep(line)
                self._comment = True
                return blocks
            if FOOTNOTE.match(body):
                blocks = self.finish()
                self._keep(line)
                self._list, self._items = "^", [CODE_INDENT]
                return blocks
            if HEADING.match(body):
                return [*self.finish(), Block(line)]
            if RULE.match(body):
                # Below a paragraph this line makes the paragraph a heading.
                self._keep(line)
                return self.finish()
            marker = MARKER.match(body)
            if marker and (not self.lines or self._quote or _interrupts(marker)):
                self._keep(line)
                self._list = _kind(marker)
                self._begin_list(marker)
                self._nested = None
                self._nest(indent, body)
                return []
        self._follow_quote(body)
        self._keep(line)
        return []

    def _begin_list(self, marker: re.Match[str]) -> None:
        """Start to count a list's items; the list may continue one that was too long."""
        self._start, self._next = self._next, None
        number = int(marker["number"]) if marker["number"] else None
        self._first = number if self._start is None else self._start
        self._count = 1

    def _continues_list(self, indent: int, body: str) -> bool:
        """Whether a line belongs to the open list; tracks the items and the code that it opens or closes."""
        if indent >= self._items[0]:
            self._nest(indent, body)
            return True
        self._nested = None
        ended = self._blank or NO_PARAGRAPH.fullmatch(self.lines[-1])
        marker = MARKER.match(body) if not RULE.match(body) else None
        if marker and indent < CODE_INDENT:
            if _kind(marker) != self._list:
                return False
            if self.cost() > LIST_FULL:
                self._next = None if self._first is None else self._first + self._count
                return False
            self._count += 1
            self._items.clear()
            self._nest(indent, body)
            return True
        # Only a paragraph within an item continues in lines without indent.
        starts = indent < CODE_INDENT and (body[0] == ">" or _stands_alone(indent, body))
        starts = starts or (self._list == "^" and DEFINITION.match(body) is not None)
        return not (ended or starts)

    def _follow_quote(self, body: str) -> None:
        """Track the code fences within a quote; a line without `>` ends them."""
        inner = body.lstrip("> ")
        self._quote = self._quote or body[0] == ">"
        if body[0] != ">":
            self._nested = None
        elif self._nested is None:
            self._nested = fence_of(0, inner)
        elif self._nested.closes(inner):
            self._nested = None

    def _nest(self, indent: int, body: str) -> None:
        """Track the items that a line opens or leaves, and the code fences within them."""
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


def columns(space: str) -> int:
    """Width of leading spaces and tabs, in columns."""
    return len(space.expandtabs(TAB)) if "\t" in space else len(space)


def _stands_alone(indent: int, body: str) -> bool:
    return bool(
        fence_of(indent, body)
        or HEADING.match(body)
        or RULE.match(body)
        or (indent < CODE_INDENT and (FOOTNOTE.match(body) or body.startswith(COMMENT) or _folds(body)))
    )


def _folds(body: str) -> bool:
    """Whether a line opens a `<details>` element, and is not a sentence that mentions one."""
    match = FOLD.match(body)
    return bool(match and not match[1] and (not body[match.end() :].strip() or SUMMARY.match(body, match.end())))


def _kind(marker: re.Match[str]) -> str:
    """The sign of a list item: items with the same sign form one list."""
    return marker["bullet"] or marker["point"]


def _interrupts(marker: re.Match[str]) -> bool:
    """Whether an item may follow a paragraph without a blank line between them."""
    return marker["number"] in (None, "1") and not marker["space"].endswith("\n")
