"""How much of a text is formatted.

Whatever was written, formatting it costs a bounded time and makes a bounded amount of HTML. The bounds depend on the
text alone, never on a clock, so that every viewer sees the same. A unit of cost is about a microsecond of a server's
core.
"""

from dataclasses import dataclass, field

BLOCK_COST = 25_000
"""Of one block: it is rendered in one go, in the event loop while it grows."""

BLOCK_FULL, LIST_FULL = 21_000, 7_000
"""A block that has cost so much goes on as another one in the next line; a list does in its next item."""

CODE_FULL = 100_000
"""Characters after which code goes on in another figure."""

FORMULAS_MAX = 6_000
"""Characters of a block's formulas that are converted."""

MESSAGE_COST = 112_000
PAGE_COST = 125_000

HTML_RATIO = 8
"""Characters of HTML for each one of the text, beside some for a text of whatever length, and for late references."""

MESSAGE_HTML, PAGE_HTML, PART_HTML = 16_000, 32_000, 400_000
REVISED_HTML = 8_000
MESSAGE_SIZE, PAGE_SIZE = 400_000, 1_000_000
"""Characters of HTML in all."""

MESSAGE_COLOURED, PAGE_COLOURED = 25_000, 50_000
"""Characters of code that are coloured."""

MESSAGE_PLAIN, PAGE_PLAIN = 60_000, 240_000
"""Characters that are shown as they were written, where they are beyond the other bounds."""

PIECE = 4_096
"""Characters of such text that are sent at a time."""

CHARACTER_COST = 0.15
PLAIN_COST = 0.02
MATH_COST = 0.15
WEIGHTS = {
    **dict.fromkeys("-+/.!{}^=|", 1.0),
    **dict.fromkeys("()*_~>&", 1.5),
    **dict.fromkeys("[]#:", 2.0),
    **dict.fromkeys("<", 3.0),
    **dict.fromkeys("`", 3.5),
    **dict.fromkeys("\n\\", 4.0),
    **dict.fromkeys("@", 5.0),
    **dict.fromkeys("\t$", 6.0),
}
"""What a character adds that may mean something: measured, of the worst text that repeats it."""

COST_MAX = CHARACTER_COST + max(WEIGHTS.values())
"""Of one character."""

REFERRED_MAX = 200_000
"""Characters that the links of a block could get from a target that it defines itself."""

BEGIN_COST, LINE_COST = 14.0, 1.5
"""Of a block and of a line, whatever is in it."""

LONG_COST = 40_000
"""What costs more holds up none of the threads that serve everybody."""


_WEIGHTS = [WEIGHTS.get(chr(byte), 0.0) for byte in range(256)]
_WEIGHTLESS = bytes(byte for byte, weight in enumerate(_WEIGHTS) if not weight)
FEW = 200
"""Signs that are weighed one by one sooner than counted kind by kind."""


def cost(text: str) -> float:
    """What a block with this text costs more than an empty one, at most, without the formulas in it."""
    signs = text.encode(errors="replace").translate(None, _WEIGHTLESS)
    if len(signs) <= FEW:
        return CHARACTER_COST * len(text) + sum(map(_WEIGHTS.__getitem__, signs))
    return CHARACTER_COST * len(text) + sum(weight * text.count(sign) for sign, weight in WEIGHTS.items())


@dataclass(slots=True)
class Budget:
    """What may still be spent on a text, or on all of a page's."""

    cost: float = MESSAGE_COST
    html: float = MESSAGE_HTML
    """Characters of HTML beyond `HTML_RATIO`."""
    size: int = MESSAGE_SIZE
    coloured: int = MESSAGE_COLOURED
    plain: int = MESSAGE_PLAIN
    is_part: bool = False
    """Whether somebody has asked for this part of a text, so that what comes first is shown one way or the other."""

    def pay(self, price: float) -> bool:
        """Spend so much, if it is there."""
        if price > self.cost:
            return False
        self.cost -= price
        return True

    def pay_html(self, html: str, text: str) -> bool:
        """Spend the HTML of a text, if that is there; what is less than its share is there for the next one."""
        excess = len(html) - HTML_RATIO * len(text)
        if excess > self.html or len(html) > self.size:
            return False
        self.html -= excess
        self.size -= len(html)
        return True

    def colours(self, size: int) -> bool:
        """Whether code of this size is coloured; if so, it is paid for."""
        if size > self.coloured:
            return False
        self.coloured -= size
        return True


def part() -> Budget:
    """For a part of a text that somebody has asked for."""
    return Budget(html=PART_HTML, is_part=True)


@dataclass(slots=True)
class PageBudget:
    """For all texts of a page, those first that are asked for first."""

    left: Budget = field(default_factory=lambda: Budget(PAGE_COST, PAGE_HTML, PAGE_SIZE, PAGE_COLOURED, PAGE_PLAIN))

    def message(self) -> Budget:
        """For the next message; what it leaves is given back by `settle`."""
        left = self.left
        return Budget(
            min(MESSAGE_COST, left.cost),
            min(MESSAGE_HTML, left.html),
            min(MESSAGE_SIZE, left.size),
            min(MESSAGE_COLOURED, left.coloured),
            min(MESSAGE_PLAIN, max(left.plain, PIECE)),
        )

    def settle(self, given: Budget, spent: Budget) -> None:
        """Take from the page what was given to a message and is not left of it."""
        left = self.left
        left.cost -= given.cost - spent.cost
        left.html -= given.html - spent.html
        left.size -= given.size - spent.size
        left.coloured -= given.coloured - spent.coloured
        left.plain -= given.plain - spent.plain
