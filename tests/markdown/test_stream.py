"""Markdown that grows: what is finished, and that it ends as the whole text's HTML."""

import re
import time
from itertools import pairwise

import pyromark
import pytest

from conversations.markdown.highlight import figure
from conversations.markdown.html import finished
from conversations.markdown.rendering import OPTIONS, BlockStream, render
from conversations.markdown.scanner import prepare
from conversations.markdown.source import FIGURE
from tests.support.growing import ANSWER, fed
from tests.support.markup import ATTACKS, PIECES, check, random_from_a_seed


def test_a_text_fed_by_the_character_ends_as_the_whole_text() -> None:
    assert fed(ANSWER) == render(ANSWER)


def test_random_texts_fed_at_random_points_end_as_the_whole_text() -> None:
    seed, chance = random_from_a_seed()
    for _ in range(1500):
        text = "".join(chance.choice(PIECES) for _ in range(chance.randrange(1, 50)))
        cuts = sorted(chance.randrange(len(text) + 1) for _ in range(chance.randrange(12)))
        parts = [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]
        assert fed(parts) == render(text), f"seed {seed}: {parts!r}"


def test_cutting_into_blocks_changes_nothing_that_the_parser_sees() -> None:
    seed, chance = random_from_a_seed()
    blocks = [
        *(
            "One line",
            "Two\nlines",
            "# Title",
            "Title\n===",
            "---",
            "> quote",
            "> quote\nlazy\n> more",
            "> - item\n> - item",
        ),
        *(
            "- a\n- b",
            "- a\n\n  b\n\n- c",
            "* a\n  - b\n    - c\n\n      d\n- e",
            "1. a\n2. b",
            "3) a\n   b\n4) c\nlazy",
        ),
        *(
            "- a\n\n      code\n\n  b",
            "    code\n\n    code",
            "| a | b |\n|---|---|\n| c | d |",
            "- [ ] a\n- [x] b",
            "+ \n+ a",
        ),
        *(
            "- a\n  > b\n  > c\n\n  d",
            "1. a\n\n   | b |\n   |---|\n   | c |\n\n2. d",
            "10. a\n    b\n\n    - c\n\n11. d",
        ),
    ]
    for _ in range(500):
        text = "".join(chance.choice(blocks) + chance.choice(["\n\n", "\n\n\n", "\n\n"]) for _ in range(8))
        source = prepare(text)
        figures: list[str] = []

        def plain_code(language: str | None, code: str, figures: list[str] = figures) -> str:
            figures.append(figure(language or "", code, coloured=False))
            return f"{FIGURE}{len(figures) - 1}{FIGURE}"

        whole = finished(pyromark.html(source.text, options=OPTIONS, highlight=plain_code), source, figures=figures)
        assert re.sub(r"\s+", "", render(text)) == re.sub(r"\s+", "", whole), f"seed {seed}: {text!r}"


def test_whoever_joins_late_sees_the_same() -> None:
    early, late = BlockStream(), BlockStream()
    seen = ""
    for part in re.findall(r".{1,7}", ANSWER, flags=re.DOTALL):
        early.append(part)
        late.append(part)
        blocks = early.take()
        seen += blocks.finished
        assert early.whole().finished == seen
        assert early.whole().open == blocks.open
    whole = late.whole()
    assert (whole.finished, whole.open) == (seen, early.whole().open)
    assert late.take().finished == seen


def test_a_finished_block_is_sent_once() -> None:
    stream = BlockStream()
    stream.append("One\n\nTwo")
    assert stream.take().finished == "<p>One</p>\n"
    stream.append(" more")
    blocks = stream.take()
    assert (blocks.finished, blocks.open) == ("", "<p>Two more</p>\n")
    assert stream.take() == blocks


@pytest.mark.parametrize(
    ("sent", "rest"),
    [
        ("", "One\n\n"),
        ("One\n\n", "T"),
        ("One\n\n", "- T"),
        ("# One\n", ""),
        ("One\n# Two\n", "T"),
        ("***\n", "T"),
        ("One\n", "```\n"),
        ("```\nx\n\n# y\n```\n", ""),
        ("", "- a\n\n  b\n\n- c\n"),
        ("", "- a\n\n2"),
        ("- a\n\n", "b"),
        ("- a\n\n", "* b\n"),
        ("- a\n---\n", "b"),
        ("", "1. a\n   ```\n   b\n\n   c\n   ```\n"),
        ("1. a\n", "  ```\nb\n\nc\n\n"),
        ("> a\n\n", "> b\n"),
        ("a\n---\n", ""),
        ("", "    a\n\n    b\n"),
        ("", "a\n\n    b\n"),
    ],
)
def test_a_block_is_finished_as_soon_as_nothing_can_change_it(sent: str, rest: str) -> None:
    stream = BlockStream()
    stream.append(sent + rest)
    assert stream.take().finished == render(sent)
    assert stream.open_size <= len(rest)


def test_line_ends_may_be_split() -> None:
    assert fed(["a\r", "\nb\r", "\r", "\n\r\nc\r"]) == render("a\nb\n\nc\n")
    assert fed(["\ud83d", "\ude00"]) == "<p>😀</p>\n"


@pytest.mark.parametrize("text", [text for text in ATTACKS if len(text) < 60])
def test_an_attack_cut_anywhere_leaves_only_the_pages_own_html(text: str) -> None:
    expected = render(text)
    for cut in range(len(text) + 1):
        stream = BlockStream()
        for part in (text[:cut], text[cut:]):
            stream.append(part)
            blocks = stream.whole()
            check(blocks.finished)
            check(blocks.open)
        stream.close()
        assert stream.take().finished == expected


def test_random_text_leaves_only_the_pages_own_html_while_it_grows() -> None:
    seed, chance = random_from_a_seed()
    for _ in range(300):
        parts = [chance.choice([*PIECES, *ATTACKS]) for _ in range(chance.randrange(1, 30))]
        stream = BlockStream()
        for part in parts:
            stream.append(part)
            try:
                blocks = stream.take()
                check(blocks.finished)
                check(blocks.open)
            except Exception as error:
                raise AssertionError(f"seed {seed}: {parts!r}") from error


def test_the_size_of_what_is_open_is_known() -> None:
    stream = BlockStream()
    stream.append("One two\n\n")
    assert stream.open_size == 9
    stream.append("Three")
    stream.take()
    assert stream.open_size == 5
    stream.append(" four")
    assert stream.open_size == 10
    stream.append("\n\n```\n" + "x\n" * 100)
    stream.take()
    assert stream.open_size == 200
    stream.close()
    assert stream.open_size == 0


@pytest.mark.parametrize(
    "text",
    [
        "```\n" + "a line of code\n" * 70_000,
        "word " * 20_000,
        "- **item** with `code`\n" * 4_000,
        "| a | b |\n|-|-|\n" + "| c | d |\n" * 5_000,
        "$$" + "\\frac{a}{b} + " * 5_000,
        "**a " * 20_000,
        "> " * 20_000,
        " " * 100_000,
        "`" * 100_000,
        "[" * 100_000,
    ],
    ids=["code", "paragraph", "list", "table", "formula", "emphasis", "quotes", "spaces", "ticks", "brackets"],
)
def test_a_long_open_block_stays_cheap(text: str) -> None:
    stream = BlockStream()
    stream.append(text)
    stream.take()
    started = time.thread_time()
    for _ in range(5):
        stream.append("x")
        stream.take()
    assert time.thread_time() - started < 5


def test_a_long_answer_costs_no_more_at_its_end_than_at_its_start() -> None:
    stream = BlockStream()
    stream.append(f"{ANSWER}\n" * 200 + "Now: ")
    stream.take()
    for character in "The open block is all that is rendered again.":
        stream.append(character)
        blocks = stream.take()
        assert blocks.finished == ""
        assert stream.open_size < 60
