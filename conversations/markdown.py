"""Markdown to safe HTML, whole or block by block while the text still grows.

CommonMark with tables, task lists, strikethrough, bare addresses, coloured code and formulas; no raw HTML, no pictures,
no reference links, no footnotes. `render` is a `BlockStream` that gets everything at once, so that a reply looks the
same, byte for byte, streamed or loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import pyromark
from django.utils.safestring import SafeString

from conversations import highlight, markdown_html
from conversations.markdown_blocks import Block, Fence, Splitter
from conversations.markdown_open import complete, prose
from conversations.markdown_source import CUT, Source, clean, prepare

OPTIONS = pyromark.Options.ENABLE_TABLES | pyromark.Options.ENABLE_STRIKETHROUGH | pyromark.Options.ENABLE_TASKLISTS
EMPTY_CELLS = 1_000
"""Cells that the parser may add to the short rows of a block's tables, beyond a few for each written one."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """HTML of a text that grows: blocks that will not change again, and the one that still may."""

    finished: SafeString
    open: SafeString


def render(text: str) -> SafeString:
    """HTML of a whole text."""
    stream = BlockStream()
    stream.append(text)
    stream.close()
    return stream.take().finished


class BlockStream:
    """Markdown that grows. Only the block that is still open is rendered again."""

    def __init__(self) -> None:
        self._splitter = Splitter()
        self._deltas: list[str] = []
        self._partial = ""
        self._size = 0
        self._finished: list[str] = []
        self._taken = 0
        self._outline: list[int] = []
        self._code = _OpenCode()
        self._open: SafeString | None = SafeString("")

    @property
    def open_size(self) -> int:
        """Characters from the start of the open block, as of the last `take` or `whole`, and all that came since."""
        return self._splitter.size + len(self._partial) + self._size

    def append(self, delta: str) -> None:
        """Take the next part of the text; costs nothing but remembering it."""
        if delta:
            self._deltas.append(delta)
            self._size += len(delta)
            self._open = None

    def take(self) -> Blocks:
        """The blocks that were finished since the last `take`, and the open one as it stands."""
        self._advance()
        finished = "".join(self._finished[self._taken :])
        self._taken = len(self._finished)
        return Blocks(SafeString(finished), self._render_open())

    def whole(self) -> Blocks:
        """Everything so far, whatever was taken."""
        self._advance()
        return Blocks(SafeString("".join(self._finished)), self._render_open())

    def close(self) -> None:
        """Finish every block: no more text will come."""
        self._advance()
        last = clean(self._partial.replace("\r", "\n"))
        self._partial = ""
        if last:
            self._finish(self._splitter.feed(last.rstrip("\n") + "\n"))
        self._finish(self._splitter.finish())
        self._open = SafeString("")

    def _advance(self) -> None:
        """Cut what was appended into lines, and finish the blocks that these end."""
        if not self._deltas:
            return
        text = self._partial + "".join(self._deltas)
        self._deltas.clear()
        self._size = 0
        if "\r" in text:
            # A carriage return at the very end may be half of a line's end.
            held = "\r" if text.endswith("\r") else ""
            text = text.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n") + held
        end = text.rfind("\n") + 1
        if end:
            for line in clean(text[:end]).split("\n")[:-1]:
                self._finish(self._splitter.feed(f"{line}\n"))
        self._partial = text[end:]
        if self._splitter.begins(clean(self._partial.removesuffix("\r"))):
            self._finish(self._splitter.finish())

    def _finish(self, blocks: list[Block]) -> None:
        self._finished += [_block_html(block, self._outline) for block in blocks]

    def _render_open(self) -> SafeString:
        if self._open is None:
            partial = clean(self._partial.removesuffix("\r"))
            splitter = self._splitter
            if splitter.fence is not None:
                html = self._code.render(splitter.fence, splitter.lines, partial)
            else:
                text = "".join(splitter.lines) + partial
                html = _open_html(text, nested=splitter.nested_fence, outline=self._outline)
            self._open = SafeString(html)
        return self._open


class _OpenCode:
    """The code block that is open at top level: escaped once, a line at a time, with no parser and no colours.

    Escaped text within fixed markup needs no sanitiser.
    """

    def __init__(self) -> None:
        self._fence: Fence | None = None
        self._html = ""
        self._lines = 0

    def render(self, fence: Fence, lines: list[str], partial: str) -> str:
        if fence is not self._fence:
            self._fence, self._lines = fence, 0
            self._html = highlight.figure_start(fence.info.partition(" ")[0][: highlight.LANGUAGE_MAX])
        self._html += escape("".join(lines[self._lines :]), quote=False)
        self._lines = len(lines)
        # A last line that may become the closing fence waits.
        shown = "" if not partial.strip(f" {fence.mark[0]}") else fence.content(partial)
        return f"{self._html}{escape(shown, quote=False)}{highlight.FIGURE_END}"


def _block_html(block: Block, outline: list[int]) -> str:
    if block.fence is not None:
        words = block.fence.info.split()
        html = highlight.figure(words[0] if words else "", block.text, coloured=True)
        return f"{markdown_html.finished(html, Source(''))}\n"
    return _html(prepare(block.text), outline)


def _open_html(text: str, *, nested: Fence | None, outline: list[int]) -> str:
    if not text.strip():
        return ""
    return prose(text) or parsed_open(text, nested=nested, outline=outline)


def parsed_open(text: str, *, nested: Fence | None = None, outline: Sequence[int] = ()) -> str:
    """HTML of an open block under the headings `outline`, made by the parser: what `prose` makes of some texts in less
    time.
    """
    source = prepare(text, is_open=True)
    if nested is None:
        source.text = complete(source.text)
    else:
        # A last line that may become the closing fence waits; the mark goes where it cannot end the code.
        line = source.text.rfind("\n") + 1
        if not source.text[line:].strip(f" \t>{nested.mark[0]}"):
            source.text = source.text[:line].rstrip("\n")
        source.text += CUT
    return _html(source, list(outline))


def _html(source: Source, outline: list[int]) -> str:
    def code(language: str | None, text: str) -> str:
        name = language or ""
        is_open = CUT in text or CUT in name
        return highlight.figure(source.restored(name), source.restored(text), coloured=not is_open)

    html = pyromark.html(source.text, options=_options(source.text), highlight=code)
    return markdown_html.finished(html, source, outline)


def _options(text: str) -> pyromark.Options:
    """Tables only where they are about as large as their text.

    Each row is filled up with empty cells to the width of the head: a wide head and many short rows would make
    megabytes of a few kilobytes.
    """
    lines = text.split("\n")
    if len(lines) * max(line.count("|") for line in lines) > 4 * text.count("|") + EMPTY_CELLS:
        return OPTIONS & ~pyromark.Options.ENABLE_TABLES
    return OPTIONS
