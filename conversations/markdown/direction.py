"""Text that runs from right to left: which blocks of safe HTML do, said by `dir` where it changes.

A block runs as its first letter does, as in `dir="auto"`, or from right to left when most of its words do: Hebrew and
Arabic sentences often begin with a name in Latin letters. Code, formulas and what has no letters have no say: they run
from left to right, or as what is around them.
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
    """A block, and which way the words in it run."""

    parent: "Element | None"
    tag: str
    place: int
    first: str = ""
    left: int = 0
    right: int = 0
    direction: str = "ltr"

    def read(self, text: str) -> None:
        """Count the words of a piece of its text."""
        for word in ENTITY.sub(" ", text).split():
            direction = next((way for letter in word if (way := STRONG.get(bidirectional(letter)))), "")
            self.first = self.first or direction
            self.left += direction == "ltr"
            self.right += direction == "rtl"

    def take(self, inner: "Element") -> None:
        """Count what a block within it has; of a list within a list only how it begins, where nothing else does."""
        self.first = self.first or inner.first
        if inner.tag in LISTS:
            return
        self.left += inner.left
        self.right += inner.right

    def differs(self) -> bool:
        """Settle the direction, after the parent's; say whether it is another one."""
        around = self.parent.direction if self.parent else "ltr"
        self.direction = "rtl" if self.first == "rtl" or self.right > self.left else self.first or around
        return self.direction != around


def directed(html: str) -> str:
    """The same HTML, with the direction of each block that runs another way than what is around it.

    Costs next to nothing where nothing runs from right to left.
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
