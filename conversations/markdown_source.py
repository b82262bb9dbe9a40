"""Markdown as the parser may see it: no raw HTML, no reference definitions, each formula as one mark.

What the parser must not understand is replaced by Unicode noncharacters, which no text may carry, and put back in its
HTML. So raw HTML never exists as such, whatever the parser takes for code, and a formula's underscores, bars and line
breaks never become markup. Reference definitions are off because one that comes last would change what is finished.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass, field

from conversations.markdown_blocks import NESTING_MAX

LESS, COLON, AMPERSAND = "\ufdd0", "\ufdd1", "\ufdd2"
FORMULA, END = "\ufdd3", "\ufdd4"
CUT = "\ufdd5"
"""Ends the text of a code block that is still open."""
STOP = "\ufdd6"
"""Keeps the rest of a line from nesting any deeper."""

UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
SURROGATE = re.compile("[\ud800-\udfff]")
AUTOLINK = re.compile(
    LESS + r"((?:https?://|mailto:)[^\s<>\ufdd0-\ufdef]+>|[\w.+-]{1,64}@[\w.-]{1,255}>)", re.IGNORECASE
)
NUMERIC = re.compile(r"&(?=#(?:[xX]([0-9a-fA-F]{1,6})|([0-9]{1,7}));)")
MARK = re.compile(f"{FORMULA}([0-9]+){END}")

DEEP = re.compile(rf"^(?:[ \t]*(?:>|(?:[-+*]|\d{{1,9}}[.)])(?=[ \t]))){{{NESTING_MAX}}}", re.MULTILINE)

BLANK_LINE = re.compile(r"\n[ \t>]*\n")
FENCE_END = re.compile(r"^[ \t>]*(`{3,}|~{3,})[ \t]*$", re.MULTILINE)
QUOTE = re.compile(r"\n[ \t>]*")
QUOTED = re.compile(r"[ \t]*(?:[-+*\d.)]+[ \t]+)*>")
TICKS = re.compile("`+")
TOKEN = re.compile(
    r"""^[ \t>]*(?:(?:[-+*]|\d{1,9}[.)])[ \t]+)*(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})[^\n]*$
    | (?P<ticks>`+)
    | (?P<opener>\\[(\[]|\$\$?)
    | \\. | https?://[^\s<>`)\]]+""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
CLOSERS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
# As in Pandoc, with prices and shell variables in mind: nothing opens before a space or within a word, or closes after
# a space or before a digit.
DOLLARS = re.compile(r"\$(?![\s$])((?:\\.|[^$\\\n`])+)(?<!\s)\$(?!\d)")
PROSE = re.compile(r"\d[\d.,]*\s\W?[^\W\d]{2}")
JOINT = tuple("/:._=,-")
HALF_DOLLARS = re.compile(r"\$(?=[^\s$\d])([^$\n`]+)\Z")
LATEX = frozenset("\\^_={")
FORMULA_MAX = 4_000


@dataclass(frozen=True, slots=True)
class Formula:
    """LaTeX found in the text; `source` is what was written, with its delimiters; `half` while it has no end."""

    latex: str
    source: str
    display: bool
    half: bool = False


@dataclass(slots=True)
class Source:
    """What the parser gets, and the formulas that its marks stand for."""

    text: str
    formulas: list[Formula] = field(default_factory=list)

    def formula(self, number: str) -> Formula | None:
        """The formula of a mark."""
        at = int(number) if len(number) < 7 else len(self.formulas)
        return self.formulas[at] if at < len(self.formulas) else None

    def restored(self, text: str) -> str:
        """Plain text from the parser, as it was written."""
        if FORMULA in text:
            text = MARK.sub(self._written, text)
        return text.replace(LESS, "<").replace(COLON, ":").replace(AMPERSAND, "&").replace(STOP, "").replace(CUT, "")

    def _written(self, match: re.Match[str]) -> str:
        formula = self.formula(match[1])
        return formula.source if formula else ""


def clean(text: str) -> str:
    """The text with what is not a character replaced: controls, noncharacters and lone surrogates."""
    if text.isascii() and text.isprintable():
        return text
    if SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return UNSAFE.sub("\ufffd", text)


def prepare(text: str, *, is_open: bool = False) -> Source:
    """Clean Markdown as the parser may see it; `is_open` when more may follow, so that a formula may be half there."""
    if "<" in text:
        text = AUTOLINK.sub(r"<\1", text.replace("<", LESS))
    if "]:" in text:
        text = text.replace("]:", f"]{COLON}")
    text = DEEP.sub(rf"\g<0>{STOP}", text)
    if "&#" in text:
        text = NUMERIC.sub(_reference, text)
    if "$" in text or "\\(" in text or "\\[" in text:
        return _Scanner(text, is_open=is_open).source()
    return Source(text)


def _reference(match: re.Match[str]) -> str:
    """Keep a numeric reference from spelling what `clean` has removed."""
    code = int(match[1], 16) if match[1] else int(match[2])
    return AMPERSAND if code <= 0x10FFFF and UNSAFE.match(chr(code)) else "&"


class _Scanner:
    """Finds the formulas outside code in one pass: no search for an end starts twice at the same place."""

    def __init__(self, text: str, *, is_open: bool) -> None:
        self._text = text
        self._is_open = is_open
        self._found: dict[str, int] = {}
        self._ticks: dict[int, list[int]] | None = None
        self._formulas: list[Formula] = []

    def source(self) -> Source:
        text = self._text
        out: list[str] = []
        copied = at = 0
        while match := TOKEN.search(text, at):
            start, at = match.span()
            if match["fence"]:
                at = self._end_of_code(match["fence"], at)
            elif match["ticks"]:
                at = self._end_of_ticks(len(match["ticks"]), start, at)
            elif match["opener"] and (formula := self._formula(match["opener"], start)):
                at = start + len(formula.source)
                out += text[copied:start], f"{FORMULA}{len(self._formulas)}{END}"
                copied = at
                self._formulas.append(self._as_written(formula, start))
        return Source("".join(out) + text[copied:], self._formulas)

    def _formula(self, opener: str, start: int) -> Formula | None:
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
        if self._is_open and blank == len(text) and len(text) - begin <= FORMULA_MAX:
            return Formula(text[begin:].rstrip("$"), text[start:], display, half=True)
        return None

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
        """The formula with marks put back, and without the signs of a quote around it at the start of its lines."""
        latex = Source("").restored(formula.latex)
        if "\n" in latex and QUOTED.match(self._line_before(start)):
            latex = QUOTE.sub("\n", latex)
        return Formula(latex, Source("").restored(formula.source), formula.display, formula.half)

    def _line_before(self, at: int) -> str:
        return self._text[self._text.rfind("\n", 0, at) + 1 : at]

    def _next(self, closer: str, at: int) -> int:
        """Where `closer` is next, or -1."""
        found = self._found.get(closer, 0)
        if 0 <= found < at:
            found = self._found[closer] = self._text.find(closer, at)
        return found

    def _next_blank(self, at: int) -> int:
        """Where the next blank line is, or the end of the text."""
        found = self._found.get("\n", 0)
        if found < at:
            match = BLANK_LINE.search(self._text, at)
            found = self._found["\n"] = match.start() if match else len(self._text)
        return found

    def _end_of_code(self, mark: str, at: int) -> int:
        for match in FENCE_END.finditer(self._text, at):
            if match[1].startswith(mark):
                return match.end()
        return len(self._text)

    def _end_of_ticks(self, length: int, start: int, at: int) -> int:
        """Where the code span ends that begins here, or `at` when none does."""
        if self._ticks is None:
            self._ticks = {}
            for match in TICKS.finditer(self._text):
                self._ticks.setdefault(len(match[0]), []).append(match.start())
        places = self._ticks.get(length, [])
        next_at = bisect_left(places, start + 1)
        if next_at == len(places) or places[next_at] > self._next_blank(at):
            return at
        return places[next_at] + length
