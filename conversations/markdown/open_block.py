"""Completes Markdown that is still being written: no stray signs, no sudden headings.

The result is shown only until the block grows; a finished block is never completed.
"""

import re

from conversations.markdown.direction import RIGHT_TO_LEFT, directed

# A last line of signs alone may become a heading, a list, a rule, a table or a fence: wait for its next character.
SIGNS = re.compile(r"[ \t>]*+(?!`{3})(?:[-=+*_#~|:` \t>]*|(?:[-+*]|\d{1,9}[.)])[ \t]+\[[ xX]?\]?[ \t]*)\Z")
# A line that begins a block, so that nothing before it can still be open.
BEGINS = re.compile(r"[ \t>]*(?:[-+*][ \t]|\d{1,9}[.)][ \t]|#{1,6}[ \t]|\|)")
# A blank line, or one that has closed code.
ENDS = re.compile(r"[ \t>]*+(?:(?:`{3,}|~{3,})[ \t]*)?(?=\n|\Z)")
OPENS_CODE = re.compile(r"[ \t>]*(?:(?:[-+*]|\d{1,9}[.)])[ \t]+)*(?:`{3,}[^`\n]*|~{3,}[^\n]*)\Z")
UNESCAPED_BAR = re.compile(r"(?<!\\)\|")
TOKEN = re.compile(r"\\.|`+|\*+|_+|~+|!?\[|\]\(?")
DESTINATION_END = re.compile(r"[^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s+\"[^\"]*\")?\)")
HALF_SIGN = re.compile(r"(?:(?<!\S)\$|(?<!\\)\\(?:b|be|beg|begi|begin|begin\{[A-Za-z]*\*?)?)\Z")
# A line of words and signs without meaning in Markdown; a line that begins with a digit may become a list.
WORDS = re.compile(r"(?:[^\W_]++|[ ,.;:?!%'\"()’‘“”…–—]++)*+")
PROSE = re.compile(rf"[^\W\d_]{WORDS.pattern}")
TAIL_SIGNS = 20
"""Characters at the end of the text that a formula's unfinished delimiter may take."""

TAIL_MAX = 10_000
"""Characters of the last paragraph that are searched for open emphasis, code and links."""


class OpenProse:
    """The HTML of an open paragraph that consists of words only, as most do while written: each word is read once."""

    def __init__(self) -> None:
        self._text = ""
        self._is_prose = False
        self._turns = False

    def html(self, text: str) -> str | None:
        """HTML of the paragraph `text`; None when it is more than words.

        Equals the output of the parser and the sanitiser, at a small fraction of their cost.
        """
        known = len(self._text)
        if not known or not text.startswith(self._text):
            known, self._turns = 0, False
            self._is_prose = PROSE.fullmatch(text) is not None
        elif self._is_prose:
            self._is_prose = WORDS.fullmatch(text, known) is not None
        self._text = text
        if self._is_prose:
            self._is_prose = "www." not in text[max(known - len("www"), 0) :].lower()
        if not self._is_prose:
            return None
        html = f"<p>{text.rstrip(' ')}</p>\n"
        if text.isascii():
            return html
        self._turns = self._turns or RIGHT_TO_LEFT.search(text, known) is not None
        return directed(html) if self._turns else html


def prose(text: str) -> str | None:
    """HTML of a text as `OpenProse` makes it, or None."""
    return OpenProse().html(text)


def complete(text: str) -> str:
    """Prepared Markdown with its last line completed; half formulas are already marks."""
    cut = text.rfind("\n") + 1
    if SIGNS.match(text, cut):
        text = text[:cut]
    start = _last_paragraph(text)
    tail = text[start:]
    if OPENS_CODE.match(text, text.rfind("\n") + 1):
        return text
    if tail.lstrip(" \t>").startswith("|"):
        return _complete_table(text, start)
    return text[:start] + complete_inline(tail)


def complete_inline(text: str) -> str:
    """One paragraph with its emphasis and code closed; a link without its destination becomes its words."""
    last = text[-TAIL_SIGNS:]
    stripped = (HALF_SIGN.sub("", text) if "\\" in last or "$" in last else text).rstrip("*_~ \n")
    trailing = stripped != text
    out, at = [], 0
    opened: list[str] = []
    brackets: list[tuple[int, int]] = []
    while match := TOKEN.search(stripped, at):
        piece = match[0]
        out.append(stripped[at : match.start()])
        at = match.end()
        if piece[0] == "`":
            end = _end_of_code(stripped, len(piece), at)
            if end < 0:
                rest = stripped[at:]
                return "".join(out) + (f"{piece}{rest}{piece}" if rest.strip() else "") + _closers(opened)
            piece, at = stripped[match.start() : end], end
        elif piece[0] in "*_~":
            _follow(opened, piece, stripped[match.start() - 1 : match.start()], stripped[at : at + 1])
        elif piece.endswith("["):
            brackets.append((len(out), len(opened)))
        elif brackets:
            place, depth = brackets.pop()
            if piece == "](":
                end_of_link = DESTINATION_END.match(stripped, at)
                if end_of_link is None:
                    out[place] = ""
                    del opened[depth:]
                    return "".join(out) + _closers(opened)
                piece, at = stripped[match.start() : end_of_link.end()], end_of_link.end()
            # Emphasis that was opened within brackets ends there.
            del opened[depth:]
        out.append(piece)
    if not (opened or trailing):
        return text
    return "".join(out) + stripped[at:] + _closers(opened)


def _follow(opened: list[str], piece: str, before: str, after: str) -> None:
    """Open or close emphasis at a run of signs, approximately as CommonMark does."""
    sign, left = piece[0], len(piece)
    if sign == "~" and left > 2:
        return
    if before.strip() and not (sign == "_" and after.isalnum()):
        while left and opened and opened[-1][0] == sign:
            taken = min(left, len(opened[-1]))
            left -= taken
            rest = opened.pop()[taken:]
            if rest:
                opened.append(rest)
    if left and after.strip() and not (sign == "_" and before.isalnum()):
        opened.append(sign * left)


def _closers(opened: list[str]) -> str:
    return "".join(reversed(opened))


def _end_of_code(text: str, length: int, at: int) -> int:
    """The end of the run of exactly `length` backticks that closes a code span, or -1."""
    for match in re.compile("`+").finditer(text, at):
        if len(match[0]) == length:
            return match.end()
    return -1


def _last_paragraph(text: str) -> int:
    """Offset of the last paragraph, or of the last line that begins a block."""
    floor = max(len(text) - TAIL_MAX, 0)
    end = len(text.rstrip("\n"))
    if len(text) - end > 1:
        return len(text)
    while end > floor:
        start = text.rfind("\n", floor, end) + 1
        if ENDS.match(text, start):
            return end + 1
        if BEGINS.match(text, start):
            return start
        if start == 0:
            break
        end = start - 1
    return floor


def _complete_table(text: str, start: int) -> str:
    """A table whose last cell is complete; a head that is still alone gets its delimiter row."""
    cell = text.rfind("|") + 1
    row = text[:cell] + complete_inline(text[cell:])
    above = text[text.rfind("\n", 0, max(start - 1, 0)) + 1 : start]
    head = text[start:].rstrip("\n")
    if above.lstrip(" \t>").startswith("|") or not head.strip("|: \t>-"):
        return row
    signs = head[: len(head) - len(head.lstrip(" \t>"))]
    cells = len(UNESCAPED_BAR.findall(row.strip(" \t>\n").strip("|"))) + 1
    return f"{row.rstrip('\n')}\n{signs}{'|---' * cells}|"
