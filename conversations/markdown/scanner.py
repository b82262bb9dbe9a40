"""One pass over Markdown that finds what the parser must not read, outside code: formulas, tags, comments.

No search for an end starts twice at the same place, so the pass is linear whatever is left open.
"""

import re
from bisect import bisect_left
from html import escape

from conversations.markdown.fences import MARKDOWN, Fence, MarkdownCode
from conversations.markdown.source import (
    AMPERSAND,
    BLOCK,
    BLOCK_END,
    INLINE,
    INLINE_END,
    LESS,
    Formula,
    Piece,
    Source,
    bare,
    emphasised,
    hidden,
)
from conversations.markdown.tags import HALF, LINE_MAX, Tags

BLANK_LINE = re.compile(r"\n[ \t>]*\n")
LINE = re.compile(r"^[ \t>]*(?P<body>[^\n]*)$", re.MULTILINE)
FENCE_END = re.compile(r"^[ \t>]*(`{3,}|~{3,})[ \t]*$", re.MULTILINE)
QUOTE = re.compile(r"\n[ \t>]*")
QUOTED = re.compile(r"[ \t]*(?:[-+*\d.)]+[ \t]+)*>")
TICKS = re.compile("`+")
ENVIRONMENTS = """
    align alignat aligned array bmatrix Bmatrix cases dcases displaymath eqnarray equation flalign gather gathered math
    matrix multline pmatrix rcases smallmatrix split vmatrix Vmatrix
"""
UNWRAPPED = ("math", "displaymath")
"""Environments that only mark their content as a formula."""

TOKEN = re.compile(
    rf"""^[ \t>]*(?:(?:[-+*]|\d{{1,9}}[.)])[ \t]+)*(?P<fence>`{{3,}}(?=[^`\n]*$)|~{{3,}})
        (?:[ \t]*(?P<markdown>(?i:{"|".join(MARKDOWN)}))\b)?[^\n]*$
    | (?P<ticks>`+)
    | (?P<opener>\\[(\[]|\$\$?)
    | (?P<chemical>\\ce\{{(?:[^{{}}\n]|\{{[^{{}}\n]*\}}){{1,300}}\}})
    | \\begin\{{(?P<environment>(?:{"|".join(ENVIRONMENTS.split())})\*?)\}}
    | (?P<less>\\{LESS})
    | \\.
    | {LESS}(?:(?P<comment>!--)|(?P<tag>(?i:br[ \t]*/?|/?(?:sub|sup|kbd|summary|details)[ \t]*|details[ ]+open)>))
    | (?P<reference>{AMPERSAND}\#\w+;)
    | (?<=\])(?P<before>\([ \t]*\n?[ \t]*|:[ \t]*){LESS}(?P<target>(?:\\.|[^<>\\\n{LESS}])*)>
    | https?://[^\s<>`)\]]+""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
CLOSERS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
# As in Pandoc, because of prices and shell variables: a dollar does not open before a space or within a word, and does
# not close after a space or before a digit.
DOLLARS = re.compile(r"\$(?![\s$])((?:\\.|[^$\\\n`])+)(?<!\s)\$(?!\d)")
PROSE = re.compile(r"\d[\d.,]*\s\W?[^\W\d]{2}")
JOINT = tuple("/:._=,-")
HALF_DOLLARS = re.compile(r"\$(?=[^\s$\d])([^$\n`]+)\Z")
LATEX = frozenset("\\^_={")
FORMULA_MAX = 4_000


SIGNS = ("$", "\\", LESS, AMPERSAND, "```", "~~~")
"""A text without any of these needs no scan."""


def prepare(text: str, *, is_open: bool = False) -> Source:
    """Cleaned Markdown in the form that the parser may see; `is_open` allows a half-written formula at the end."""
    text = hidden(text)
    source = _Scanner(text, is_open=is_open).source() if any(sign in text for sign in SIGNS) else Source(text)
    source.text = emphasised(source.text)
    return source


class _Scanner:
    def __init__(self, text: str, *, is_open: bool) -> None:
        self._text = text
        self._is_open = is_open
        self._found: dict[str, int] = {}
        self._ticks: dict[int, list[int]] | None = None
        self._marks: list[tuple[int, int, Formula | Piece | str]] = []
        self._may_nest = True
        self._tags = Tags(text, is_open=is_open)

    def source(self) -> Source:
        """The text with a numbered mark for each formula, tag and comment."""
        text = self._text
        at = 0
        while match := TOKEN.search(text, at):
            start, at = match.span()
            if match["fence"] or match["ticks"]:
                at = self._code(match, at)
            elif match["opener"] or match["environment"]:
                at = self._formula(match, at)
            elif match["comment"]:
                at = self._comment(start, at)
            elif match["tag"]:
                self._tags.add(match["tag"], start, at, self._next_blank(start))
            else:
                self._replace(match)
        return self._marked()

    def _replace(self, match: re.Match[str]) -> None:
        """Mark a token that stands for itself; a bare address gets no mark, its signs just start no formula or tag."""
        start, end = match.span()
        if match["chemical"]:
            written = bare(match["chemical"])
            self._marks.append((start, end, Formula(written, written, display=False)))
        elif match["less"]:
            self._marks.append((start, end, Piece("\\<", "&lt;")))
        elif match["reference"]:
            self._marks.append((start, end, Piece(bare(match["reference"]), "\ufffd")))
        elif match["target"] is not None:
            target = bare(match["target"])
            piece = Piece(f"<{target}>", escape(f"<{target}>"), target=ESCAPED.sub(r"\1", target))
            self._marks.append((match.end("before"), end, piece))

    def _marked(self) -> Source:
        text, half = self._text, self._is_open and HALF.search(self._text)
        marks = self._marks
        if tags := self._tags.pieces():
            marks = sorted([*marks, *tags], key=lambda mark: mark[0])
        out: list[str] = []
        copied = 0
        for number, (start, end, mark) in enumerate(marks):
            out += text[copied:start], mark if isinstance(mark, str) else self._mark(number, start, end, mark)
            copied = end
        out.append(text[copied : half.start()] if half and half.start() >= copied else text[copied:])
        return Source("".join(out), [mark if not isinstance(mark, str) else None for _, _, mark in marks])

    def _mark(self, number: int, start: int, end: int, mark: Formula | Piece) -> str:
        if isinstance(mark, Formula):
            return f"{BLOCK}{number}{BLOCK_END}" if mark.display else f"{INLINE}{number}{INLINE_END}"
        if mark.place == "line":
            return f"{INLINE}{number}{INLINE_END}"
        if mark.place == "break":
            return f"{BLOCK}{number}{BLOCK_END}"
        if mark.place == "nothing":
            # Of the two line feeds around a line that shows nothing, one breaks the line.
            return f"{BLOCK}{number}{INLINE_END}"
        return self._apart(f"{BLOCK}{number}{BLOCK_END}", start, end, mark.html)

    def _apart(self, mark: str, start: int, end: int, html: str) -> str:
        """The mark of a `<details>` tag as a paragraph of its own, because a list may come before or after it."""
        before = self._line_before(start)
        if ">" in before or before.lstrip().startswith("|"):
            return mark
        # A title of several lines is one paragraph.
        begins = start and not before.strip() and html != "</summary>"
        ends = self._text[end : end + 1] == "\n" and html != "<summary>"
        return f"{f'\n{before}' if begins else ''}{mark}{'\n' if ends else ''}"

    def _comment(self, start: int, at: int) -> int:
        """Where a comment ends, or `at` when it does not; only one that begins a line may hold blank lines."""
        end = self._next("-->", start + 2)
        blank = self._next_blank(start)
        if end >= 0 and (end < blank or not self._line_before(start).strip()):
            self._marks.append((start, end + 3, Piece(bare(self._text[start : end + 3]), "", "nothing")))
            return end + 3
        if end < 0 and self._is_open and (blank == len(self._text) or not self._line_before(start).strip()):
            self._marks.append((start, len(self._text), Piece(bare(self._text[start:]), "", "nothing")))
            return len(self._text)
        return at

    def _formula(self, match: re.Match[str], at: int) -> int:
        """Where the formula that begins here ends, or `at` when there is none."""
        start = match.start()
        environment = match["environment"]
        formula = self._environment(environment, start, at) if environment else self._delimited(match["opener"], start)
        if formula is None:
            return at
        end = start + len(formula.written)
        self._marks.append((start, end, self._as_written(formula, start)))
        return end

    def _environment(self, name: str, start: int, begin: int) -> Formula | None:
        text = self._text
        closer = f"\\end{{{name}}}"
        end = self._next(closer, begin)
        blank = self._next_blank(begin)
        display = name != "math"
        begin = begin if name in UNWRAPPED else start
        if 0 <= end < blank and end - begin <= FORMULA_MAX:
            written = text[start : end + len(closer)]
            return Formula(text[begin:end] if name in UNWRAPPED else written, written, display)
        if self._is_half(begin, blank):
            return Formula(text[begin:], text[start:], display, half=True)
        return None

    def _delimited(self, opener: str, start: int) -> Formula | None:
        text = self._text
        if opener == "$":
            return self._between_dollars(start)
        begin = start + 2
        end = self._next(CLOSERS[opener], begin)
        blank = self._next_blank(begin)
        display = opener != "\\("
        if 0 <= end < blank and end - begin <= FORMULA_MAX:
            if not text[begin:end].strip():
                return None
            return Formula(text[begin:end], text[start : end + 2], display)
        if self._is_half(begin, blank):
            return Formula(text[begin:].rstrip("$"), text[start:], display, half=True)
        return None

    def _is_half(self, begin: int, blank: int) -> bool:
        """Whether the end of the formula that begins here may still come."""
        size = len(self._text)
        return self._is_open and blank == size and size - begin <= FORMULA_MAX

    def _between_dollars(self, start: int) -> Formula | None:
        text = self._text
        before = text[start - 1 : start]
        if before.isalnum() or before == "$":
            return None
        match = DOLLARS.match(text, start)
        if match is None:
            half = HALF_DOLLARS.match(text, start) if self._is_open else None
            if half is None or LATEX.isdisjoint(half[1]):
                return None
            return Formula(half[1], half[0], display=False, half=True)
        latex = match[1]
        if PROSE.match(latex) or (text[match.end() : match.end() + 1].isalpha() and latex.endswith(JOINT)):
            return None
        if " | " in latex and self._line_before(start).lstrip(" \t>").startswith("|"):
            return None
        return Formula(latex, match[0], display=False)

    def _as_written(self, formula: Formula, start: int) -> Formula:
        """The formula with marks put back, and without the `>` of a surrounding quote at the start of its lines."""
        latex = bare(formula.latex)
        if "\n" in latex and QUOTED.match(self._line_before(start)):
            latex = QUOTE.sub("\n", latex)
        return Formula(latex, bare(formula.written), formula.display, formula.half)

    def _line_before(self, at: int) -> str:
        floor = max(at - LINE_MAX, 0)
        return self._text[max(self._text.rfind("\n", floor, at) + 1, floor) : at]

    def _next(self, closer: str, at: int) -> int:
        """Offset of the next `closer`, or -1."""
        found = self._found.get(closer)
        if found is None or 0 <= found < at:
            found = self._found[closer] = self._text.find(closer, at)
        return found

    def _next_blank(self, at: int) -> int:
        """Offset of the next blank line, or the end of the text."""
        found = self._found.get("\n", -1)
        if found < at:
            match = BLANK_LINE.search(self._text, at)
            found = self._found["\n"] = match.start() if match else len(self._text)
        return found

    def _code(self, match: re.Match[str], at: int) -> int:
        """Where the code that begins here ends, or `at` when there is none."""
        if match["ticks"]:
            return self._end_of_ticks(len(match["ticks"]), match.start(), at)
        end = self._end_of_code(match["fence"], at)
        return self._end_of_markdown(match, end) if match["markdown"] else end

    def _end_of_code(self, mark: str, at: int) -> int:
        for match in FENCE_END.finditer(self._text, at):
            if match[1].startswith(mark):
                return match.end()
        return len(self._text)

    def _end_of_markdown(self, opener: re.Match[str], end: int) -> int:
        """Where code marked as Markdown ends when it contains fenced code; the marks around it are made longer.

        When the inner code does not end, the outer code ends at `end`, like any other.
        """
        if not self._may_nest or end == len(self._text):
            return end
        mark = opener["fence"]
        code = MarkdownCode(Fence(mark, "", 0))
        last = None
        for line in LINE.finditer(self._text, opener.end() + 1):
            was_held = code.held
            code.follow(f"{line['body']}\n")
            if code.ended:
                closer = last if was_held else line
                break
            last = line
        else:
            closer = last if code.held else None
        if closer is None or closer.end() <= end:
            self._may_nest = closer is not None
            return end
        longer = mark[0] * (1 + max(map(len, re.findall(f"{mark[0]}+", self._text[opener.start() : closer.end()]))))
        self._marks.append((*opener.span("fence"), longer))
        self._marks.append((*closer.span("body"), longer))
        return closer.end()

    def _end_of_ticks(self, length: int, start: int, at: int) -> int:
        """Where the code span that begins here ends, or `at` when there is none."""
        if self._ticks is None:
            self._ticks = {}
            for match in TICKS.finditer(self._text):
                self._ticks.setdefault(len(match[0]), []).append(match.start())
        places = self._ticks.get(length, [])
        next_at = bisect_left(places, start + 1)
        if next_at == len(places) or places[next_at] > self._next_blank(at):
            return at
        return places[next_at] + length
