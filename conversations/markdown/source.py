"""Markdown in the form that the parser may see: no raw HTML, one mark per formula and allowed tag.

Text that the parser must not interpret is replaced by Unicode noncharacters, which are removed from every input, and
put back in the HTML. So raw HTML never reaches the parser, whatever it takes for code, and a formula's underscores,
bars and line breaks never become markup.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Literal

from conversations.markdown.blocks import NESTING_MAX

LESS, AMPERSAND = "\ufdd0", "\ufdd2"
INLINE, INLINE_END = "\ufdd3", "\ufdd4"
"""Around the number of a mark that stands within a line."""
BLOCK, BLOCK_END = "\ufdd8", "\ufdd9"
"""Around the number of a mark that begins or ends a line of its own, so that line feeds beside it break no line."""
CUT = "\ufdd5"
"""Ends the text of a code block that is still open."""
STOP = "\ufdd6"
"""Shows nothing: keeps the rest of a line from nesting any deeper, and emphasis signs from punctuation."""
FIGURE = "\ufdd7"
"""Around the number of a code block until its figure is inserted."""

UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
SURROGATE = re.compile("[\ud800-\udfff]")
AUTOLINK = re.compile(
    LESS + r"((?:https?://|mailto:|tel:)[^\s<>\ufdd0-\ufdef]+>|[\w.+-]{1,64}@[\w.-]{1,255}>)", re.IGNORECASE
)
NUMERIC = re.compile(r"&(?=#(?:[xX]([0-9a-fA-F]{1,6})|([0-9]{1,7}));)")
NOTE = re.compile(r"\[\^[^\]\[\n]*\](?=[:\[])")
NUMBERED = re.compile(f"(?:{INLINE}|{BLOCK})([0-9]+)(?:{INLINE_END}|{BLOCK_END})")
DEEP = re.compile(rf"^(?:[ \t]*(?:>|(?:[-+*]|\d{{1,9}}[.)])(?=[ \t]))){{{NESTING_MAX}}}", re.MULTILINE)

EMPHASIS = re.compile(r"(?<=[^\s\\*~])(?:\*+|~+)(?=[^\s*~])")
JOINED = re.compile("[\u2010-\u205e\u2e00-\u303f\ufe10-\ufe6f\uff00-\uffef]")
"""Punctuation that stands between words without spaces."""
MARKS = range(0xFDD0, 0xFDF0)


@dataclass(frozen=True, slots=True)
class Formula:
    """LaTeX found in the text; `written` includes its delimiters; `half` while its end is missing."""

    latex: str
    written: str
    display: bool
    half: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of source `written` that is shown as `html`; as part of a link's target it stands for `target`.

    `place` is one of `line` (within a line), `break` (breaks a line), `apart` (a tag of a `<details>`), `nothing`
    (invisible).
    """

    written: str
    html: str
    place: Literal["line", "break", "apart", "nothing"] = "line"
    target: str = ""


@dataclass(slots=True)
class Source:
    """The text for the parser, and what its numbered marks stand for."""

    text: str
    marks: list[Formula | Piece | None] = field(default_factory=list)

    def mark(self, number: str) -> Formula | Piece | None:
        """The formula, piece or text that a numbered mark stands for, or None."""
        at = int(number) if len(number) < 7 else len(self.marks)
        return self.marks[at] if at < len(self.marks) else None

    def restored(self, text: str) -> str:
        """Plain text from the parser, with its marks replaced by what was written."""
        if INLINE in text or BLOCK in text:
            text = NUMBERED.sub(self._written, text)
        return bare(text)

    def target(self, number: str) -> str:
        """The link target that a mark stands for, as a whole or in part."""
        mark = self.mark(number)
        return (isinstance(mark, Piece) and mark.target) or (mark.written if mark else "")

    def address(self, text: str) -> str:
        """The address that a link target stands for, as the parser gives it outside HTML."""
        return bare(NUMBERED.sub(lambda match: self.target(match[1]), text))

    def _written(self, match: re.Match[str]) -> str:
        mark = self.mark(match[1])
        return mark.written if mark else ""


def bare(text: str) -> str:
    """The text with its unnumbered marks replaced by the characters that they stand for."""
    return text.replace(LESS, "<").replace(AMPERSAND, "&").replace(STOP, "").replace(CUT, "")


SLICE = 65_536
"""Characters that are processed in one step."""


def clean(text: str) -> str:
    """The text with controls, noncharacters and lone surrogates replaced."""
    # All unsafe characters are non-printable.
    if text.isprintable() or text.replace("\n", " ").isprintable():
        return text
    if SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if len(text) <= SLICE:
        return UNSAFE.sub("\ufffd", text)
    # One long step would hold up all other threads.
    return "".join(UNSAFE.sub("\ufffd", text[at : at + SLICE]) for at in range(0, len(text), SLICE))


def hidden(text: str) -> str:
    """Cleaned Markdown without raw HTML and without references to forbidden characters, as far as the parser sees."""
    if "<" in text:
        text = AUTOLINK.sub(r"<\1", text.replace("<", LESS))
    if "[^" in text:
        # Keep the parser from reading a footnote as a link definition, or as a link together with what follows.
        text = NOTE.sub(rf"\g<0>{STOP}", text).replace("][^", f"]{STOP}[^")
    text = DEEP.sub(rf"\g<0>{STOP}", text)
    if "&#" in text:
        text = NUMERIC.sub(_reference, text)
    return text


def emphasised(text: str) -> str:
    """The text with an invisible letter where emphasis begins or ends between words without spaces.

    CommonMark requires a space there: otherwise signs beside punctuation neither open nor close emphasis.
    """
    if text.isascii() or not ("*" in text or "~" in text):
        return text
    return EMPHASIS.sub(_flanked, text)


def _flanked(match: re.Match[str]) -> str:
    before, after = match.string[match.start() - 1], match.string[match.end()]
    if _is_joint(before, after):
        return f"{STOP}{match[0]}"
    return f"{match[0]}{STOP}" if _is_joint(after, before) else match[0]


def _is_joint(mark: str, letter: str) -> bool:
    """Whether `mark` is punctuation beside the signs, and `letter` touches them from the other side without a space."""
    if letter.isascii() and (not letter.isalnum() or not JOINED.match(mark)):
        return False
    return _is_punctuation(mark) and (ord(letter) in MARKS or not _is_punctuation(letter))


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def _reference(match: re.Match[str]) -> str:
    """Keep a numeric reference from producing a character that `clean` removes."""
    code = int(match[1], 16) if match[1] else int(match[2])
    return AMPERSAND if code <= 0x10FFFF and UNSAFE.match(chr(code)) else "&"
