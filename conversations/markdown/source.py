"""Markdown as the parser may see it: no raw HTML, each formula and each allowed tag as one mark.

What the parser must not understand is replaced by Unicode noncharacters, which no text may carry, and put back in its
HTML. So raw HTML never exists as such, whatever the parser takes for code, and a formula's underscores, bars and line
breaks never become markup.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Literal

from conversations.markdown.blocks import NESTING_MAX

LESS, AMPERSAND = "\ufdd0", "\ufdd2"
INLINE, INLINE_END = "\ufdd3", "\ufdd4"
"""Around the number of what stands within a line."""
BLOCK, BLOCK_END = "\ufdd8", "\ufdd9"
"""Around the number of what begins or ends a line of its own, so that line feeds beside it break none."""
CUT = "\ufdd5"
"""Ends the text of a code block that is still open."""
STOP = "\ufdd6"
"""Shows nothing: keeps the rest of a line from nesting any deeper, and signs of emphasis from punctuation."""
FIGURE = "\ufdd7"
"""Around the number of a code block while the rest of the HTML is made."""

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
    """LaTeX found in the text; `written` has its delimiters; `half` while it has no end."""

    latex: str
    written: str
    display: bool
    half: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """What was `written` and is shown as `html`; as a link's target it stands for `target`.

    It stands in a `line`, is a `break` of one, stands `apart` as a part of what folds, or there is `nothing` to see.
    """

    written: str
    html: str
    place: Literal["line", "break", "apart", "nothing"] = "line"
    target: str = ""


@dataclass(slots=True)
class Source:
    """What the parser gets, and what its numbered marks stand for."""

    text: str
    marks: list[Formula | Piece | None] = field(default_factory=list)

    def mark(self, number: str) -> Formula | Piece | None:
        """What a numbered mark stands for."""
        at = int(number) if len(number) < 7 else len(self.marks)
        return self.marks[at] if at < len(self.marks) else None

    def restored(self, text: str) -> str:
        """Plain text from the parser, as it was written."""
        if INLINE in text or BLOCK in text:
            text = NUMBERED.sub(self._written, text)
        return bare(text)

    def target(self, number: str) -> str:
        """Where a link leads whose target is a mark, or a part of it."""
        mark = self.mark(number)
        return (isinstance(mark, Piece) and mark.target) or (mark.written if mark else "")

    def address(self, text: str) -> str:
        """The address that a target stands for, as the parser gives it outside HTML."""
        return bare(NUMBERED.sub(lambda match: self.target(match[1]), text))

    def _written(self, match: re.Match[str]) -> str:
        mark = self.mark(match[1])
        return mark.written if mark else ""


def bare(text: str) -> str:
    """The text with its plain marks put back."""
    return text.replace(LESS, "<").replace(AMPERSAND, "&").replace(STOP, "").replace(CUT, "")


SLICE = 65_536
"""Characters that are looked at in one step."""


def clean(text: str) -> str:
    """The text with what is not a character replaced: controls, noncharacters and lone surrogates."""
    # All that is unsafe is not printable.
    if text.isprintable() or text.replace("\n", " ").isprintable():
        return text
    if SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if len(text) <= SLICE:
        return UNSAFE.sub("\ufffd", text)
    # One long step would hold up all other threads.
    return "".join(UNSAFE.sub("\ufffd", text[at : at + SLICE]) for at in range(0, len(text), SLICE))


def hidden(text: str) -> str:
    """Clean Markdown without what the parser would take for HTML, or for characters that no text may carry."""
    if "<" in text:
        text = AUTOLINK.sub(r"<\1", text.replace("<", LESS))
    if "[^" in text:
        # No definition for the parser, and with what follows no link.
        text = NOTE.sub(rf"\g<0>{STOP}", text).replace("][^", f"]{STOP}[^")
    text = DEEP.sub(rf"\g<0>{STOP}", text)
    if "&#" in text:
        text = NUMERIC.sub(_reference, text)
    return text


def emphasised(text: str) -> str:
    """The text with an invisible letter where emphasis begins or ends between words that no space divides.

    CommonMark looks for spaces there: without one, signs beside punctuation neither open nor close.
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
    """Whether `mark` is punctuation that touches the signs, and what touches them opposite does so without a space."""
    if letter.isascii() and (not letter.isalnum() or not JOINED.match(mark)):
        return False
    return _is_punctuation(mark) and (ord(letter) in MARKS or not _is_punctuation(letter))


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def _reference(match: re.Match[str]) -> str:
    """Keep a numeric reference from spelling what `clean` has removed."""
    code = int(match[1], 16) if match[1] else int(match[2])
    return AMPERSAND if code <= 0x10FFFF and UNSAFE.match(chr(code)) else "&"
