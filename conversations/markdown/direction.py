"""Right-to-left text: `dir` attributes for the blocks of safe HTML whose direction changes.

A block has the direction of its first letter, as in `dir="auto"`, or runs from right to left when most of its words do:
Hebrew and Arabic sentences often begin with a name in Latin letters. Code, formulas and text without letters are not
counted: code and formulas run from left to right, other text inherits its direction.
"""

import re
from dataclasses import dataclass
from unicodedata import bidirectional

RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
LISTS = ("ul", "ol")
STRONG = {"L": "ltr", "R": "rtl", "AL": "rtl"}
HEADINGS = ("h2", "h3", "h4", "h5", "h6")
BLOCKS = (*LISTS, *HEADINGS, "blockquote", "details", "div", "li", "p", "summary", "table", "td", "th")
TOKEN = re.compile(
    r"""<(?P<silent>figure|code|math)\b.*?</(?P=silent)>
    | <(?P<tag>/?\w+)(?:[^>"]|"[^"]*")*>
    | (?P<text>[^<]+)""",
    re.DOTALL | re.VERBOSE,
)
ENTITY = re.compile(r"&\w+;")


@dataclass(slots=True)
class Element:
    """A block element and the direction of the words in it."""

    parent: "Element | None"
    tag: str
    place: int
    first: str = ""
    left: int = 0
    right: int = 0
    direction: str = "ltr"

    def read(self, text: str) -> None:
        """Count the words of a piece of the element's text."""
        for word in ENTITY.sub(" ", text).split():
            direction = next((way for letter in word if (way := STRONG.get(bidirectional(letter)))), "")
            self.first = self.first or direction
            self.left += direction == "ltr"
            self.right += direction == "rtl"

    def take(self, inner: "Element") -> None:
        """Add the words of an inner block; a nested list counts only by its first letter, if the item has no other."""
        self.first = self.first or inner.first
        if inner.tag in LISTS:
            return
        self.left += inner.left
        self.right += inner.right

    def differs(self) -> bool:
        """Set the direction, once the parent's is set; returns whether it differs from the parent's."""
        around = self.parent.direction if self.parent else "ltr"
        self.direction = "rtl" if self.first == "rtl" or self.right > self.left else self.first or around
        return self.direction != around


def directed(html: str) -> str:
    """Safe HTML with `dir` on each block whose direction differs from that of its parent.

    Returns at once when no character runs from right to left.
    """
    if html.isascii() or not RIGHT_TO_LEFT.search(html):
        return html
    pieces: list[str] = []
    elements: list[Element] = []
    block: Element | None = None
    for match in TOKEN.finditer(html):
        tag, text = match["tag"], match["text"]
        if text and block:
            block.read(text)
        elif tag in BLOCKS:
            block = Element(block, tag, len(pieces))
            elements.append(block)
        elif tag and tag[1:] in BLOCKS and block:
            if block.parent:
                block.parent.take(block)
            block = block.parent
        pieces.append(match[0])
    for element in elements:
        if element.differs():
            start = f"<{element.tag}"
            pieces[element.place] = f'{start} dir="{element.direction}"{pieces[element.place][len(start) :]}'
    return "".join(pieces)
