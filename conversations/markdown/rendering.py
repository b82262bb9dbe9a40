"""Markdown to safe HTML, whole or block by block while the text still grows.

Supported: CommonMark with tables, task lists, strikethrough, footnotes, bare addresses, highlighted code, formulas and
a few HTML tags; no other HTML, no pictures. A line feed breaks its line. `render` is a `BlockStream` that gets
everything at once, so a reply looks the same, byte for byte, streamed or loaded.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import pyromark
from django.utils.safestring import SafeString

from conversations.markdown import highlight
from conversations.markdown import html as markdown_html
from conversations.markdown.blocks import CODE_INDENT, FOOTNOTE, Block, Splitter
from conversations.markdown.budget import (
    BEGIN_COST,
    BLOCK_COST,
    COST_MAX,
    HTML_RATIO,
    LINE_COST,
    MATH_COST,
    PIECE,
    PLAIN_COST,
    REFERRED_MAX,
    REVISED_HTML,
    Budget,
    cost,
)
from conversations.markdown.fences import Fence
from conversations.markdown.open_block import OpenProse, complete
from conversations.markdown.references import References
from conversations.markdown.scanner import prepare
from conversations.markdown.source import CUT, FIGURE, Source, clean

OPTIONS = pyromark.Options.ENABLE_TABLES | pyromark.Options.ENABLE_STRIKETHROUGH | pyromark.Options.ENABLE_TASKLISTS
INDENT = re.compile(r"^(?: {1,4}|\t)", re.MULTILINE)
REVISED_MAX = 16_000
"""Characters of HTML that may be sent again for late definitions while the text grows, beyond the HTML's own size."""

EMPTY_CELLS = 1_000
"""Cells that the parser may add to fill the short rows of a block's tables, beyond a few per written cell."""

SLICE = 65_536
"""Characters that are cut into lines in one step."""

BEGINNING = 1_000
"""Characters of an unfinished line that are enough to tell which block it belongs to."""

Paint = Callable[[str, str], bool]
"""(language, code) -> whether the code is highlighted."""

LIST_START = re.compile(r'\A<ol(?: start="\d+")?>')


@dataclass(frozen=True, slots=True)
class Blocks:
    """HTML of a text that grows: blocks that will not change again, and the open one."""

    finished: SafeString
    open: SafeString


@dataclass(frozen=True, slots=True)
class Rendered:
    """HTML of a whole text, as far as its budget went."""

    formatted: SafeString
    plain: SafeString = SafeString("")
    """HTML of the beginning of the unformatted rest, as it was written."""
    plain_from: int | None = None
    """Offset of `plain` in the text with its line ends as line feeds; None when all of it is formatted."""

    @property
    def html(self) -> SafeString:
        """HTML of everything that is shown."""
        return SafeString(self.formatted + self.plain)


def render(text: str, *, key: object = "") -> SafeString:
    """HTML of a whole text; `key` separates its footnotes' ids from those of other texts of the page."""
    return rendered(text, Budget(), key=key).html


def rendered(text: str, budget: Budget, *, key: object = "") -> Rendered:
    """HTML of the text as far as the budget goes; spends the budget."""
    stream = BlockStream(budget, key=key, is_whole=True)
    stream.append(text)
    stream.close()
    return stream.rendered()


class BlockStream:
    """Markdown that grows; only the open block, and finished blocks that wait for a definition, are rendered again.

    Where the budget ends, the text continues unformatted, in pieces; where that budget ends too, nothing more is shown.
    """

    def __init__(self, budget: Budget | None = None, *, key: object = "", is_whole: bool = False) -> None:
        """`is_whole` when no output is read before the text's end."""
        self.revision = 0
        """Grows when blocks that were already taken have changed because of a later definition."""
        self._splitter = Splitter()
        self._budget = budget or Budget()
        self._deltas: list[str] = []
        self._partial = ""
        self._size = 0
        self._finished = Finished(anchor=f"note-{key}-" if key else "note-", budget=self._budget)
        self._is_whole = is_whole
        self._taken = 0
        self._code = _OpenCode()
        self._prose = OpenProse()
        self._clean = ""
        self._open: SafeString | None = SafeString("")
        self._read = 0
        self._lines: list[str] = []
        self._formatted = 0
        self._plain: Plain | None = None

    @property
    def open_size(self) -> int:
        """Characters from the start of the open block, as of the last `take` or `whole`, and all appended since."""
        return self._splitter.size + len(self._partial) + self._size

    @property
    def pieces(self) -> list[str]:
        """HTML of each finished block and of each finished unformatted piece."""
        return self._finished.html

    def append(self, delta: str) -> None:
        """Append the next part of the text; nothing is parsed yet."""
        if delta:
            self._deltas.append(delta)
            self._size += len(delta)
            self._open = None

    def take(self) -> Blocks:
        """The blocks finished since the last `take`, and the open one as it stands."""
        self._advance()
        finished = "".join(self._finished.html[self._taken :])
        self._taken = len(self._finished.html)
        return Blocks(SafeString(finished), self._render_open())

    def whole(self) -> Blocks:
        """All blocks so far, including those already taken."""
        self._advance()
        return Blocks(SafeString("".join(self._finished.html)), self._render_open())

    def rendered(self) -> Rendered:
        """The whole text's HTML; valid after `close`."""
        if self._plain is None:
            return Rendered(SafeString("".join(self._finished.html)))
        formatted, plain = self._finished.html[: self._formatted], self._finished.html[self._formatted :]
        return Rendered(SafeString("".join(formatted)), SafeString("".join(plain)), self._plain.begin)

    def close(self) -> None:
        """Finish every block: no more text will come."""
        self._advance()
        last = clean(self._partial.replace("\r", "\n"))
        self._partial = ""
        if last and self._plain is None:
            self._feed(last.rstrip("\n") + "\n", len(last))
        elif self._plain is not None:
            self._plain.add(last)
        if self._plain is None:
            self._finish(self._splitter.finish(), "")
        if self._finished.revise():
            self.revision += 1
        if self._plain is not None:
            self._finished.html += self._plain.pieces(self._budget, is_end=True)
        self._open = SafeString("")

    def _advance(self) -> None:
        """Cut the appended text into lines and finish the blocks that they end."""
        if not self._deltas:
            return
        text = self._partial + "".join(self._deltas)
        self._deltas.clear()
        self._size = 0
        if "\r" in text:
            # A carriage return at the very end may be half of a line end.
            held = "\r" if text.endswith("\r") else ""
            text = text.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n") + held
        at = 0
        while self._plain is None and (end := _lines_end(text, at)):
            self._feed_lines(clean(text[at:end]).split("\n")[:-1])
            at = end
        self._partial = text[at:]
        if self._plain is None and self._splitter.may_end:
            beginning = clean(self._partial[:BEGINNING].removesuffix("\r"))
            if self._splitter.begins(beginning):
                self._finish(self._splitter.finish(), "")
        if self._plain is not None:
            # Half of a surrogate pair, or of a line end, waits for its other half.
            end = len(self._partial) - (self._partial[-1:] == "\r" or "\ud800" <= self._partial[-1:] <= "\udbff")
            self._plain.add(clean(self._partial[:end]))
            self._partial = self._partial[end:]
            self._finished.html += self._plain.pieces(self._budget)

    def _feed_lines(self, lines: list[str]) -> None:
        for number, line in enumerate(lines):
            if self._plain is not None:
                self._plain.add("".join(f"{rest}\n" for rest in lines[number:]))
                return
            self._feed(f"{line}\n", len(line) + 1)

    def _feed(self, line: str, size: int) -> None:
        """Take one whole line, for which `size` characters of the source were read."""
        if not self._budget.pay(LINE_COST):
            self._begin_plain("".join([*self._lines, line[:size]]), self._read + size)
            return
        self._finish(self._splitter.feed(line), line[:size])
        self._read += size

    def _finish(self, blocks: list[Block], line: str) -> None:
        """Add the blocks that this line has ended; the line is in the last of them or belongs to the open block."""
        begin = len(self._finished.html)
        for number, block in enumerate(blocks):
            if self._finished.add(block):
                continue
            if number and line:
                # The line of a heading, which also ended the blocks before it.
                self._begin_plain(line, self._read + len(line))
            else:
                del self._finished.html[begin:]
                self._begin_plain("".join([*self._lines, line]), self._read + len(line))
            return
        if blocks and not self._is_whole and self._finished.revise(within_bounds=True):
            self.revision += 1
        if blocks:
            self._lines.clear()
        if line and self._splitter.is_open:
            self._lines.append(line)
        elif not self._splitter.is_open:
            self._lines.clear()

    def _begin_plain(self, text: str, end: int) -> None:
        """Show the text unformatted from here on; `text` is what has come of it, `end` its end offset."""
        self._plain = Plain(end - len(text))
        self._plain.add(text)
        self._formatted = len(self._finished.html)
        self._splitter = Splitter()
        self._lines.clear()

    def _render_open(self) -> SafeString:
        if self._open is None:
            self._open = SafeString(self._open_html())
        return self._open

    def _open_html(self) -> str:
        if self._plain is not None:
            return self._plain.open_html(self._budget)
        partial = self._clean_partial()
        splitter = self._splitter
        if splitter.fence is not None:
            return self._code.render(splitter.fence, splitter.lines, partial)
        text = "".join(splitter.lines) + partial
        if len(text) * COST_MAX > BLOCK_COST and splitter.cost() + cost(partial) > BLOCK_COST:
            return plain_block(text)
        if not text or text.isspace():
            return ""
        html = self._prose.html(text)
        return parsed_open(text, nested=splitter.nested_fence, finished=self._finished) if html is None else html

    def _clean_partial(self) -> str:
        """The unfinished line, cleaned; its part that was cleaned before is not read again."""
        partial = self._partial.removesuffix("\r")
        known = self._clean
        cleaned = known + clean(partial[len(known) :]) if known and partial.startswith(known) else clean(partial)
        self._clean = partial if cleaned == partial else ""
        return cleaned


class Plain:
    """The unformatted rest of a text, cut into pieces whose sizes do not depend on how the text arrives."""

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self._text = ""

    def add(self, text: str) -> None:
        """Append text to the unformatted rest."""
        self._text += text

    def pieces(self, budget: Budget, *, is_end: bool = False) -> list[str]:
        """HTML of the complete pieces; of all of them at the text's end."""
        found = []
        while self._text and budget.plain > 0 and (is_end or len(self._text) >= PIECE):
            found.append(self.open_html(budget))
            budget.plain -= min(PIECE, len(self._text))
            self._text = self._text[PIECE:]
        if budget.plain <= 0:
            self._text = ""
        return found

    def open_html(self, budget: Budget) -> str:
        """HTML of the piece that still grows."""
        shown = self._text[: min(PIECE, budget.plain)]
        return f'<span class="written">{escape(shown, quote=False)}</span>' if shown else ""


class _OpenCode:
    """The code block that is open at top level: escaped once per line, without parser and highlighting.

    Escaped text within fixed markup needs no sanitiser.
    """

    def __init__(self) -> None:
        self._fence: Fence | None = None
        self._html = ""
        self._lines = 0

    def render(self, fence: Fence, lines: list[str], partial: str) -> str:
        if fence is not self._fence or len(lines) < self._lines:
            self._fence, self._lines = fence, 0
            self._html = highlight.figure_start(fence.info.partition(" ")[0][: highlight.LANGUAGE_MAX])
        self._html += escape("".join(lines[self._lines :]), quote=False)
        self._lines = len(lines)
        # A last line that may become the closing fence is held back.
        shown = "" if not partial.strip(f" {fence.mark[0]}") else fence.content(partial)
        return f"{self._html}{escape(shown, quote=False)}{highlight.FIGURE_END}"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A finished block that refers to a label without a definition so far."""

    block: Block
    outline: list[int]
    html: str
    """Its HTML when it was first rendered."""
    painted: list[bool]
    """For each code block in it, whether it is highlighted."""


class Finished:
    """The finished blocks in order, their shared definitions, and the budget that is left."""

    def __init__(self, *, anchor: str, budget: Budget) -> None:
        self.html: list[str] = []
        self.outline: list[int] = []
        self.references = References(anchor)
        self.budget = budget
        self._waiting: dict[str, list[int]] = {}
        self._blocks: dict[int, Waiting] = {}
        self._stale: set[int] = set()
        self._revisable: set[int] = set()
        self._html_left = REVISED_HTML
        self._length = self._revised = 0

    def add(self, block: Block) -> bool:
        """Render the next block; returns False when the budget is too small for it."""
        html = self._code(block) if block.fence else self._prose(block)
        if html is None and self.budget.is_part and not self.html:
            # A part that a person asked for is shown in any case, so that they get past this block.
            html = plain_block(block.text)
        if html is None:
            return False
        self.html.append(html)
        self._length += len(html)
        return True

    def revise(self, *, within_bounds: bool = False) -> bool:
        """Render blocks again whose references have been defined since; returns whether one has changed.

        A change sends all blocks again: `within_bounds` limits this to a few times the size of the text. The final HTML
        does not depend on earlier revisions.
        """
        if within_bounds and (not self._stale or self._revised > self._length + REVISED_MAX):
            return False
        self._revisable |= self._stale
        places = self._stale if within_bounds else self._revisable
        if not within_bounds:
            self._html_left = REVISED_HTML
        changed = [at for at in sorted(places) if at < len(self.html) and self._revises(at)]
        self._stale.clear()
        self._revised += self._length if changed else 0
        return bool(changed)

    def pays_colours(self, language: str, code: str) -> bool:
        """Whether the code is highlighted; if so, it is paid for."""
        if not highlight.can_colour(language, code) or not self.budget.colours(len(code)):
            return False
        if highlight.is_slow(language, code):
            # A text with one block that is slow to highlight is likely to have more of them.
            self.budget.coloured = 0
            return False
        return True

    def _code(self, block: Block) -> str | None:
        if not self.budget.pay(BEGIN_COST + PLAIN_COST * len(block.text)):
            return None
        words = block.fence.info.split() if block.fence else []
        language = words[0] if words else ""
        figure = highlight.figure(language, block.text, coloured=self.pays_colours(language, block.text))
        html = f"{markdown_html.finished(f'{FIGURE}0{FIGURE}', Source(''), figures=[figure])}\n"
        return html if self.budget.pay_html(html, block.text) else None

    def _prose(self, block: Block) -> str | None:
        text, references, at = block.text, self.references, len(self.html)
        price = cost(text)
        if price > BLOCK_COST or not self.budget.pay(BEGIN_COST + (2 * price if "]:" in text else price)):
            return None
        new = references.define(text, at)
        if references.longest * text.count("[") > REFERRED_MAX:
            return None
        outline, painted = list(self.outline), list[bool]()

        def paint(language: str, code: str) -> bool:
            painted.append(self.pays_colours(language, code))
            return painted[-1]

        html = self._render(block, outline, at, paint)
        if not self.budget.pay_html(html, text) or not self.budget.pay(MATH_COST * len(html) * ("<math" in html)):
            return None
        for label in new:
            self._stale.update(self._waiting.pop(label, ()))
        if references.missing and self.budget.pay(price):
            self._blocks[at] = Waiting(block, self.outline, html, painted)
            for label in references.missing:
                self._waiting.setdefault(label, []).append(at)
        self.outline = outline
        return html

    def _revises(self, at: int) -> bool:
        """Render the block at index `at` again, as far as the budget allows; returns whether it has changed."""
        waiting = self._blocks[at]
        painted = iter(waiting.painted)
        html = self._render(waiting.block, list(waiting.outline), at, lambda language, code: next(painted, False))
        for label in self.references.missing:
            if at not in (places := self._waiting.setdefault(label, [])):
                places.append(at)
        excess = max(0, len(html) - max(len(waiting.html), HTML_RATIO * len(waiting.block.text)))
        if excess > self._html_left:
            html, excess = waiting.html, 0
        self._html_left -= excess
        was, self.html[at] = self.html[at], html
        self._length += len(html) - len(was)
        return html != was

    def _render(self, block: Block, outline: list[int], at: int, paint: Paint) -> str:
        references = self.references
        references.missing.clear()
        references.given = 0
        html = markdown_of(block.text, references, outline, at=at, paint=paint)
        return html if block.start is None else LIST_START.sub(f'<ol start="{block.start}">', html, count=1)


def plain_block(text: str) -> str:
    """HTML of a block as it was written."""
    return f'<p class="written" dir="auto">{escape(text.rstrip(), quote=False)}</p>\n'


def _lines_end(text: str, at: int) -> int:
    """Offset after the last line end within `SLICE` characters, else after the next one; 0 without a line end."""
    end = text.rfind("\n", at, at + SLICE) + 1
    return end if end else text.find("\n", at + SLICE) + 1


def parsed_open(text: str, *, nested: Fence | None = None, finished: Finished | None = None) -> str:
    """HTML of an open block that follows the finished ones, made by the parser.

    `OpenProse` is faster for plain words.
    """
    finished = finished or Finished(anchor="", budget=Budget())
    coloured = finished.budget.coloured
    finished.references.given = 0
    return markdown_of(
        text,
        finished.references,
        list(finished.outline),
        at=len(finished.html),
        is_open=True,
        nested=nested,
        paint=lambda language, code: len(code) <= coloured and highlight.can_colour(language, code),
    )


def markdown_of(
    text: str,
    references: References,
    outline: list[int],
    *,
    at: int,
    paint: Paint,
    is_open: bool = False,
    nested: Fence | None = None,
) -> str:
    """HTML of the block at index `at`, which may be a footnote's."""
    note = FOOTNOTE.match(text.lstrip(" ")) if "[^" in text[: CODE_INDENT + 2] else None
    if note is None:
        return _html(_source(text, is_open=is_open, nested=nested), references, outline, paint)
    inner = INDENT.sub("", text.lstrip(" ")[note.end() :])
    html = _html(_source(inner, is_open=is_open, nested=nested), references, outline, paint)
    return references.note(note["label"], html, at)


def _source(text: str, *, is_open: bool, nested: Fence | None) -> Source:
    source = prepare(text, is_open=is_open)
    if not is_open:
        return source
    if nested is None:
        source.text = complete(source.text)
    else:
        # A last line that may become the closing fence is held back; the mark goes where it cannot close the code.
        line = source.text.rfind("\n") + 1
        if not source.text[line:].strip(f" \t>{nested.mark[0]}"):
            source.text = source.text[:line].rstrip("\n")
        source.text += CUT
    return source


def _html(source: Source, references: References, outline: list[int], paint: Paint) -> str:
    figures: list[str] = []

    def code(language: str | None, text: str) -> str:
        name = language or ""
        is_open = CUT in text or CUT in name
        name, text = source.restored(name), source.restored(text)
        figures.append(highlight.figure(name, text, coloured=not is_open and paint(name, text)))
        return f"{FIGURE}{len(figures) - 1}{FIGURE}"

    find = references.find if "[" in source.text else None
    html = pyromark.html(source.text, options=_options(source.text), highlight=code, broken_link_callback=find)
    return markdown_html.finished(html, source, outline, figures=figures, anchor=references.anchor)


def _options(text: str) -> pyromark.Options:
    """Parser options: tables only where their HTML is about as large as their text.

    The parser fills each row with empty cells up to the width of the head: a wide head and many short rows would make
    megabytes of a few kilobytes.
    """
    if "|" not in text:
        return OPTIONS
    lines = text.split("\n")
    if len(lines) * max(line.count("|") for line in lines) > 4 * text.count("|") + EMPTY_CELLS:
        return OPTIONS & ~pyromark.Options.ENABLE_TABLES
    return OPTIONS
