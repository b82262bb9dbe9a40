"""How much of a text is formatted.

Formatting any text costs a bounded time and makes a bounded amount of HTML. The bounds depend on the text alone, never
on a clock, so that every viewer sees the same result. A unit of cost is about a microsecond of a server's core.
"""

from dataclasses import dataclass, field

BLOCK_COST = 25_000
"""Most that one block may cost: it is rendered in one step, in the event loop while it grows."""

BLOCK_FULL, LIST_FULL = 21_000, 7_000
"""Cost after which a block is ended: a new one begins at the next line, or at the next item of a list."""

CODE_FULL = 100_000
"""Characters after which code continues in another figure."""

FORMULAS_MAX = 6_000
"""Characters of formulas that are converted in one block."""

MESSAGE_COST = 112_000
PAGE_COST = 125_000

HTML_RATIO = 8
"""Characters of HTML per character of text; a fixed allowance for each text and for late references is added."""

MESSAGE_HTML, PAGE_HTML, PART_HTML = 16_000, 32_000, 400_000
REVISED_HTML = 8_000
MESSAGE_SIZE, PAGE_SIZE = 400_000, 1_000_000
"""Characters of HTML for one message and for one page."""

MESSAGE_COLOURED, PAGE_COLOURED = 25_000, 50_000
"""Characters of code that are highlighted in one message and on one page."""

MESSAGE_PLAIN, PAGE_PLAIN = 60_000, 240_000
"""Characters beyond the other bounds that are shown as they were written, in one message and on one page."""

PIECE = 4_096
"""Characters of unformatted text that are sent at a time."""

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
"""Cost that each Markdown sign adds, measured on the most expensive text that repeats it."""

COST_MAX = CHARACTER_COST + max(WEIGHTS.values())
"""The highest cost of one character."""

REFERRED_MAX = 200_000
"""Characters that a block's links may receive from link targets defined in the block itself."""

BEGIN_COST, LINE_COST = 14.0, 1.5
"""Fixed cost of a block and of a line, whatever is in it."""

LONG_COST = 40_000
"""Cost above which a text is not rendered on the threads that serve requests."""


_WEIGHTS = [WEIGHTS.get(chr(byte), 0.0) for byte in range(256)]
_WEIGHTLESS = bytes(byte for byte, weight in enumerate(_WEIGHTS) if not weight)
FEW = 200
"""Number of signs up to which each one is weighed separately instead of counted per kind."""


def cost(text: str) -> float:
    """Upper bound of the cost of a block with this text, without its fixed cost and its formulas."""
    signs = text.encode(errors="replace").translate(None, _WEIGHTLESS)
    if len(signs) <= FEW:
        return CHARACTER_COST * len(text) + sum(map(_WEIGHTS.__getitem__, signs))
    return CHARACTER_COST * len(text) + sum(weight * text.count(sign) for sign, weight in WEIGHTS.items())


@dataclass(slots=True)
class Budget:
    """What may still be spent on one text, or on all texts of a page."""

    cost: float = MESSAGE_COST
    html: float = MESSAGE_HTML
    """Characters of HTML that may be made beyond `HTML_RATIO`."""
    size: int = MESSAGE_SIZE
    coloured: int = MESSAGE_COLOURED
    plain: int = MESSAGE_PLAIN
    is_part: bool = False
    """Whether a person asked for this part of a text: its beginning is then shown in any case, formatted or plain."""

    def pay(self, price: float) -> bool:
        """Spend `price` units if they are left; returns whether they were."""
        if price > self.cost:
            return False
        self.cost -= price
        return True

    def pay_html(self, html: str, text: str) -> bool:
        """Spend the HTML of a text if enough is left; HTML below the text's share is saved for the next one."""
        excess = len(html) - HTML_RATIO * len(text)
        if excess > self.html or len(html) > self.size:
            return False
        self.html -= excess
        self.size -= len(html)
        return True

    def colours(self, size: int) -> bool:
        """Whether code of `size` characters is highlighted; if so, it is paid for."""
        if size > self.coloured:
            return False
        self.coloured -= size
        return True


def part() -> Budget:
    """Budget for a part of a text that a person asked for."""
    return Budget(html=PART_HTML, is_part=True)


@dataclass(slots=True)
class PageBudget:
    """Budget shared by all texts of a page, given to messages in the order of the calls."""

    left: Budget = field(default_factory=lambda: Budget(PAGE_COST, PAGE_HTML, PAGE_SIZE, PAGE_COLOURED, PAGE_PLAIN))

    def message(self) -> Budget:
        """Budget for the next message; `settle` returns what the message leaves."""
        left = self.left
        return Budget(
            min(MESSAGE_COST, left.cost),
            min(MESSAGE_HTML, left.html),
            min(MESSAGE_SIZE, left.size),
            min(MESSAGE_COLOURED, left.coloured),
            min(MESSAGE_PLAIN, max(left.plain, PIECE)),
        )

    def settle(self, given: Budget, spent: Budget) -> None:
        """Subtract from the page what a message has spent of the budget given to it."""
        left = self.left
        left.cost -= given.cost - spent.cost
        left.html -= given.html - spent.html
        left.size -= given.size - spent.size
        left.coloured -= given.coloured - spent.coloured
        left.plain -= given.plain - spent.plain
