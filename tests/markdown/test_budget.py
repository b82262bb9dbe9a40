"""Whatever a text says, formatting it has bounds, and everybody sees them at the same place."""

import tracemalloc
from itertools import pairwise

import pytest

from conversations.markdown import highlight
from conversations.markdown.blocks import Splitter
from conversations.markdown.budget import (
    BLOCK_COST,
    CHARACTER_COST,
    CODE_FULL,
    HTML_RATIO,
    MESSAGE_HTML,
    MESSAGE_PLAIN,
    PIECE,
    WEIGHTS,
    Budget,
    PageBudget,
    cost,
    part,
)
from conversations.markdown.rendering import BlockStream, Rendered, render, rendered
from conversations.markdown.source import clean
from tests.kit.hostile import hostile
from tests.support.elements import read
from tests.support.growing import fed
from tests.support.markup import check, random_from_a_seed

PLAIN_RATIO = 5
"""The HTML of a character at most, as it was written."""

HOSTILE = hostile(60_000)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_makes_much_html(name: str) -> None:
    text = HOSTILE[name]
    found = rendered(text, Budget())
    check(found.html)
    assert len(found.formatted) <= HTML_RATIO * len(text[: found.plain_from]) + MESSAGE_HTML
    assert len(found.plain) <= PLAIN_RATIO * MESSAGE_PLAIN + 40 * (MESSAGE_PLAIN // PIECE + 1)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_block_of_several_lines_is_more_than_is_rendered_in_one_go(name: str) -> None:
    splitter = Splitter()
    lines = HOSTILE[name].split("\n")
    blocks = [block for line in lines for block in splitter.feed(f"{line}\n")] + splitter.finish()
    for block in blocks:
        if block.fence:
            assert len(block.text) <= CODE_FULL + max(map(len, lines))
        elif block.text.count("\n") > 1:
            assert cost(block.text) <= BLOCK_COST


@pytest.mark.parametrize("name", HOSTILE)
def test_a_text_that_grows_ends_as_the_whole_one(name: str) -> None:
    seed, chance = random_from_a_seed()
    text = HOSTILE[name][:16_000]
    cuts = sorted(chance.randrange(len(text)) for _ in range(6))
    whole = rendered(text, Budget(cost=9_000, plain=9_000))
    stream = BlockStream(Budget(cost=9_000, plain=9_000))
    seen = ""
    for begin, end in pairwise([0, *cuts, len(text)]):
        stream.append(text[begin:end])
        seen += stream.take().finished
    stream.close()
    seen += stream.take().finished
    assert seen == whole.html, f"seed {seed}: {cuts}"
    assert stream.rendered() == whole, f"seed {seed}: {cuts}"


def test_what_is_beyond_the_budget_is_shown_as_it_was_written() -> None:
    text = "One *word*\n\n" * 1_000 + "```\n<b>\n```\n- *last*"
    found = rendered(text, Budget(cost=5_000))
    assert found.formatted.startswith("<p>One <em>word</em></p>\n")
    assert found.plain_from is not None
    assert shown(found) == text[found.plain_from :]
    assert text[: found.plain_from].count("\n\n") == found.formatted.count("<p>")
    assert found.plain.count("<span") > 1
    check(found.html)


def test_plain_text_ends_somewhere() -> None:
    found = rendered("a*b*\n" * 100_000, Budget(cost=0))
    assert found.plain_from == 0
    assert found.formatted == ""
    assert len(shown(found)) == pytest.approx(MESSAGE_PLAIN, abs=PIECE)


@pytest.mark.parametrize("name", HOSTILE)
def test_asking_for_more_comes_to_the_end(name: str) -> None:
    text = HOSTILE[name][:16_000].replace("\r", "\n")
    rest, parts = text, 0
    while parts < 100:
        found = rendered(rest, part())
        parts += 1
        if found.plain_from is None:
            break
        assert found.plain_from > 0
        rest = rest[found.plain_from :]
    assert found.plain_from is None


def test_a_long_list_goes_on_as_another_one() -> None:
    text = "".join(f"1. item *{number}*\n" for number in range(3_000))
    html = render(text)
    starts = [int(part["start"]) for part in read(html).all("ol[start]")]
    assert len(starts) > 2
    before = html[: html.index(f'<ol start="{starts[-1]}">')]
    assert before.count("<li>") == starts[-1] - 1
    assert html.count("<li>") == 3_000


def test_a_long_table_goes_on_with_the_same_head() -> None:
    text = "| name | value |\n|---|--:|\n" + "| **a** | `b` |\n" * 3_000
    html = render(text)
    assert html.count("<thead>") == html.count("<th>name</th>") > 1
    assert html.count("<td><strong>a</strong></td>") == 3_000


def test_an_honest_long_answer_is_formatted_to_its_end() -> None:
    answer = (
        "## A title\n\n"
        + "Some words that say what there is to say about it, and *some* more. " * 5
        + "See `code`, a [link](https://x.example/a) and $x^2$.\n\n"
        "1. One\n2. Two\n   - three\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nx = [1]\n```\n\n"
    )
    assert rendered(answer * 150, Budget()).plain_from is None


def test_colours_end_where_they_cost_too_much() -> None:
    # Short enough for a machine that is ten times slower: a block of its own that takes long stays plain.
    block = "```python\n" + "def a(): return 1\n" * 100 + "```\n"
    html = rendered(block * 24, Budget()).formatted
    figures = html.split("<figure")[1:]
    coloured = ["<span class=" in figure for figure in figures]
    assert len(figures) == 24
    assert coloured == sorted(coloured, reverse=True)
    assert coloured[0]
    assert not coloured[-1]


def test_code_that_takes_its_lexer_long_is_the_last_to_be_tried() -> None:
    slow = "```java\n" + "\n" * 7_000 + "class A {}\n```\n"
    fast = "```java\nclass A {}\n```\n"
    assert highlight.is_slow("java", "\n" * 7_000 + "class A {}\n")
    html = render(fast + slow + fast)
    assert html.count('<span class="') == render(fast).count('<span class="') > 0


def test_a_page_has_one_budget_for_all_its_texts() -> None:
    page = PageBudget()
    text = "*a* `b`\n\n" * 3_000
    found: list[Rendered] = []
    for _ in range(50):
        given, spent = page.message(), page.message()
        found.append(rendered(text, spent))
        page.settle(given, spent)
    assert found[0].plain_from is None
    assert found[-1].plain_from == 0
    assert sum(len(one.html) for one in found) < 1_500_000
    assert all(len(shown(one)) >= PIECE for one in found[-3:])


@pytest.mark.parametrize("sign", ["*", "-", "_", "- ", "* ", "> ", "#", "`"])
def test_a_line_of_one_sign_takes_little_memory(sign: str) -> None:
    text = sign * 300_000
    tracemalloc.start()
    rendered(text, Budget())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 20 * len(text)


def test_a_price_of_a_text_is_that_of_its_signs() -> None:
    assert cost("words and words") < cost("*ords and words") < cost("$ords and words")


def test_the_tail_of_what_is_too_long_for_formatting_is_plain() -> None:
    stream = BlockStream()
    stream.append("**a `b` " * 20_000)
    assert stream.take().open.startswith('<p class="written" dir="auto">**a `b` ')


def test_a_text_that_comes_in_small_parts_keeps_its_pieces() -> None:
    text = "*a*\n\n" * 3 + "[" * 30_000
    assert fed(text[at : at + 700] for at in range(0, len(text), 700)) == render(text)


def test_a_long_text_is_cleaned_as_a_short_one() -> None:
    unit = "a\u0007\U0001f600\ud83d"
    assert clean(unit * 50_000) == clean(unit) * 50_000


def shown(found: Rendered) -> str:
    """The plain text that is shown."""
    plain = read(found.plain)
    assert plain.all("*") == plain.all("span")
    return plain.text()


@pytest.mark.parametrize("count", [1, 7, 1_000])
def test_cost_is_the_same_however_it_is_added_up(count: int) -> None:
    text = "".join([*WEIGHTS, *"aZ é世😀"]) * count
    assert cost(text) == CHARACTER_COST * len(text) + count * sum(WEIGHTS.values())
