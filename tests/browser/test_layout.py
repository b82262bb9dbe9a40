"""How an answer is laid out: nothing moves at its end, the caret stands in its line, what is wide can be reached."""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.acting import send
from tests.browser.conftest import DESKTOP, PHONE, NewPage
from tests.factories import ConversationFactory, exchange
from tests.kit.provider import END, Gate, ScriptedProvider, Text, stream

SCREENS = pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
SUM = " + ".join(f"a_{{{number}}}" for number in range(1, 21))
ANSWERS = {
    "words": "Just some words.",
    "an empty line": "Words\n\n",
    "heading": "Words\n\n## Title",
    "rule": "Words\n\n---\n",
    "open code": "See:\n\n```python\nx = 1\n```",
    "code": "See:\n\n```python\nx = 1\n```\n",
    "cut code": "See:\n\n```python\nx = 1\n",
    "list": "- one\n- two",
    "nested list": "- one\n- two\n    - three\n        1. four",
    "tasks": "- [ ] one\n- [x] two\n    - [ ] three",
    "loose list": "- one\n\n- two\n\n  more",
    "code in a list": "- one\n\n  ```\n  x\n  ```\n",
    "quote": "> one\n>\n> two",
    "list in a quote": "> one\n> - two",
    "quote in a list": "- one\n\n  > two",
    "table": "| a | b |\n|---|---|\n| one | two |",
    "formula": "So\n\n$$x^2$$\n",
    "from right to left": "1. אחד\n2. שתיים\n    - שלוש",
}
PLACES = """() => {
  const reply = [...document.querySelectorAll(".message.assistant")].at(-1);
  const top = document.querySelector(".message.user").getBoundingClientRect().top;
  const parts = reply.querySelectorAll(".body :is(p, li, pre, table, h2, h3, blockquote, figure, hr, math)");
  return [reply, ...parts].map(element => {
    const box = element.getBoundingClientRect();
    return [element.tagName, ...[box.top - top, box.left, box.width, box.height].map(Math.round)];
  });
}"""
# Where a caret is drawn: the elements, and the words around it.
CARETS = """() => [...document.querySelectorAll("[data-stream] .body *")]
  .flatMap(element => ["::before", "::after"]
    .filter(part => getComputedStyle(element, part).content === '""' && getComputedStyle(element, part).width === "2px")
    .map(() => [element.tagName.toLowerCase(), element.textContent.trim()]))"""


@SCREENS
def test_a_replys_end_moves_nothing(
    new_page: NewPage, user: User, module_provider: ScriptedProvider, screen: dict[str, object]
) -> None:
    page = new_page(user, **screen)
    moved = {}
    for name, text in ANSWERS.items():
        gate = f"{name} {screen}"
        module_provider.play(stream(Text(text), Gate(gate), *END))
        page.goto("/")
        send(page, "Tell me")
        module_provider.gate(gate).wait_reached()
        expect(page.locator("[data-stream] .body")).not_to_have_text("")
        if name in ("rule", "formula"):
            expect(page.locator("[data-stream] .body").locator("hr, math")).to_have_count(1)
        else:
            expect(page.locator("[data-stream] .body")).to_contain_text(text.rstrip("\n` |").split()[-1])
        before = page.evaluate(PLACES)
        module_provider.gate(gate).open()
        expect(page.locator("[role=status]")).to_contain_text("has answered")
        after = page.evaluate(PLACES)
        if before != after:
            moved[name] = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert moved == {}


@pytest.mark.parametrize(
    ("text", "caret"),
    [
        ("Some words", ["p", "Some words"]),
        ("- one\n- two", ["li", "two"]),
        ("- one\n- two\n    - three", ["li", "three"]),
        ("1. one\n    - two\n        1. three\n    - four", ["li", "four"]),
        ("- one\n    - two\n- three", ["li", "three"]),
        ("- one\n\n- two\n\n  three", ["p", "three"]),
        ("> one\n> - two", ["li", "two"]),
        ("> one\n>\n> two", ["p", "two"]),
        ("- one\n\n  > two", ["p", "two"]),
        ("- [ ] one\n    - [x] two", ["li", "two"]),
        ("- one\n\n  ```\n  x = 1", ["code", "x = 1"]),
        ("```\nx = 1", ["code", "x = 1"]),
        ("Words\n\n- אחד\n    - שתיים", ["li", "שתיים"]),
    ],
)
def test_the_caret_stands_in_the_line_that_is_written(
    page: Page, module_provider: ScriptedProvider, text: str, caret: list[str]
) -> None:
    module_provider.play(stream(Text(text), Gate(text), *END))
    page.goto("/")
    send(page, "Tell me")
    expect(page.locator("[data-stream] .body")).to_contain_text(caret[1])
    assert page.evaluate(CARETS) == [caret]
    module_provider.gate(text).open()
    expect(page.locator("[role=status]")).to_contain_text("has answered")


WORDY = [f"Column number {number}" for number in range(8)]
TABLES = {
    "fits but for the space after it": f"| Key | {'x' * 20} |\n|---|---|\n| 1 | {'word ' * 40} |",
    "fits when its words wrap": f"| {' | '.join(WORDY)} |\n{'|---' * 8}|\n|{' some words in it |' * 8}",
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_fits_does_not_scroll(page: Page, user: User, name: str) -> None:
    conversation = exchange(ConversationFactory.create(user=user), "Hello", TABLES[name]).conversation
    page.goto(conversation.get_absolute_url())
    table = page.locator(".table")
    assert table.evaluate("box => box.scrollWidth - box.clientWidth") == 0
    assert table.evaluate("box => box.scrollHeight - box.clientHeight") == 0


def test_a_table_ends_with_its_last_words(page: Page, user: User) -> None:
    text = f"| a | {'x' * 70} |\n|---|---|\n| 1 | 2 |"
    page_of = exchange(ConversationFactory.create(user=user), "Hello", text).conversation
    page.goto(page_of.get_absolute_url())
    spare = page.locator("th").last.evaluate(
        """cell => {
          const words = new Range();
          words.selectNodeContents(cell);
          return cell.getBoundingClientRect().right - words.getBoundingClientRect().right;
        }"""
    )
    assert spare < 2


@SCREENS
@pytest.mark.parametrize(
    "text", ["Inline \\( {} \\) end.", "- item \\( {} \\) end.", "- one\n\n  > \\( {} \\)", "So\n\n$$ {} $$\n"]
)
def test_a_wide_formula_can_be_reached(new_page: NewPage, user: User, screen: dict[str, object], text: str) -> None:
    said = text.replace("{}", f"{SUM} + {SUM}")
    conversation = exchange(ConversationFactory.create(user=user), "Hello", said).conversation
    page = new_page(user, **screen)
    page.goto(conversation.get_absolute_url())
    box = page.locator(".assistant .math")
    end = """box => {
      box.scrollLeft = 1e6;
      const last = [...box.querySelectorAll("mn")].at(-1).getBoundingClientRect();
      const frame = box.closest(".body").getBoundingClientRect();
      return [last.right <= frame.right + 1, last.left >= frame.left];
    }"""
    assert box.evaluate(end) == [True, True]
    box.focus()
    expect(box).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("#scroll").evaluate("log => log.scrollWidth <= log.clientWidth")


def test_a_short_formula_stands_in_its_line(page: Page, user: User) -> None:
    conversation = exchange(ConversationFactory.create(user=user), "Hello", "Since $x^2 = 4$ it is two.").conversation
    page.goto(conversation.get_absolute_url())
    expect(page.locator(".assistant p > math")).to_have_count(1)


def test_tall_brackets_stretch(page: Page, user: User) -> None:
    tall = r"\frac{\frac{a}{b}}{\frac{c}{d}}"
    text = rf"Inline $\left( {tall} \right)$ and $$\left[ {tall} \right]$$"
    conversation = exchange(ConversationFactory.create(user=user), "Hello", text).conversation
    page.goto(conversation.get_absolute_url())
    for number in (0, 1):
        formula = page.locator(".assistant math").nth(number)
        heights = formula.evaluate(
            "math => [...math.querySelectorAll('mo, mfrac')].map(part => part.getBoundingClientRect().height)"
        )
        bracket, fraction, *_, closing = heights
        assert bracket > fraction * 0.9
        assert closing > fraction * 0.9
