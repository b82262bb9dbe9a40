"""Text that runs from right to left: which blocks say so."""

import time

import pytest

from conversations.markdown.direction import directed
from conversations.markdown.rendering import BlockStream, render
from tests.support.elements import read

HEBREW, ARABIC, PERSIAN = "שלום עולם", "مرحبا بالعالم", "سلام دنیا"


def directions(text: str) -> list[str]:
    """Tag and direction of each block that has one."""
    return [f"{block.tag} {block['dir']}" for block in read(render(text)).all("[dir]")]


@pytest.mark.parametrize("words", [HEBREW, ARABIC, PERSIAN, "ދިވެހި", "ߒߞߏ", "שָׁלוֹם", "𞤀𞤣"])
def test_every_script_that_runs_from_right_to_left(words: str) -> None:
    assert directions(words) == ["p rtl"]
    assert directions(f"# {words}") == ["h2 rtl"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello\n\nשלום\n\nThere", ["p rtl"]),
        ("- אחד\n- שתיים", ["ul rtl"]),
        ("1. אחד\n2. שתיים", ["ol rtl"]),
        ("> ציטוט", ["blockquote rtl"]),
        ("| שם | ערך |\n|---|---|\n| אחד | 1 |", ["div rtl"]),
        # What differs from what is around it says so again; what says nothing follows it.
        ("- אחד\n- use this one.\n- 123", ["ul rtl", "li ltr"]),
        ("- one\n- שתיים ושלוש", ["ul rtl", "li ltr"]),
        ("- אחד\n    - `npm install`\n    - one thing", ["ul rtl", "ul ltr"]),
        ("- אחד\n    - `npm install`", ["ul rtl"]),
        ("- Nested:\n    - אחד ושתיים\n    - שלוש", ["ul rtl"]),
        ("- `x`\n    - אחד", ["ul rtl"]),
        ("> אחד\n>\n> one\n>\n> שתיים", ["blockquote rtl", "p ltr"]),
        ("| שם | Name |\n|---|---|\n| אחד | 1 |", ["div rtl", "th ltr"]),
        ("- [ ] אחד\n- [x] שתיים", ["ul rtl"]),
    ],
)
def test_blocks_within_blocks(text: str, found: list[str]) -> None:
    assert directions(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # Code and formulas have no say.
        ("`pip install x` זו פקודה", ["p rtl"]),
        ("`שלום` is a greeting", []),
        ("$x + y$ הוא סכום", ["p rtl"]),
        ("(123) שלום", ["p rtl"]),
        ("```\nשלום\n```", []),
        # A name in Latin letters may begin a Hebrew sentence, a Hebrew word stand in an English one.
        ("**README.md** הוא קובץ.", ["p rtl"]),
        ("- **Python** היא שפת תכנות\n- **Ruby** היא שפה אחרת", ["ul rtl"]),
        ("The word שלום means peace", []),
        ("Hello שלום", []),
        ("שלום means peace, and much more than that", ["p rtl"]),
        ("R&D הוא מחקר ופיתוח", ["p rtl"]),
        ("[קישור](https://example.com/a)", ["p rtl"]),
        ("-- 1 2 3 \u200f --", ["p rtl"]),
    ],
)
def test_what_decides(text: str, found: list[str]) -> None:
    assert directions(text) == found


def test_nothing_is_said_where_all_runs_from_left_to_right() -> None:
    text = "# One\n\n- “two” – 世界 é\n\n> three\n\n| a |\n|---|\n| b |\n"
    assert "dir=" not in render(text)
    assert directed("<p>é 世界</p>") == "<p>é 世界</p>"


@pytest.mark.parametrize("size", [1, 2, 7])
def test_the_growing_block_ends_as_a_fresh_page_shows_it(size: int) -> None:
    text = f"{HEBREW}\n\n1. {ARABIC}\n2. README.md הוא קובץ\n\n> {PERSIAN}\n\nend"
    stream, finished = BlockStream(), ""
    for start in range(0, len(text), size):
        stream.append(text[start : start + size])
        finished += stream.take().finished
    stream.close()
    assert finished + stream.take().finished == render(text)


def test_the_open_block_has_its_direction_from_its_first_letter() -> None:
    stream = BlockStream()
    stream.append("ש")
    assert stream.take().open == '<p dir="rtl">ש</p>\n'
    stream.append("לום [and")
    assert stream.take().open.startswith('<p dir="rtl">')


def test_a_long_text_costs_little() -> None:
    html = f"<p>{'שלום לכולם ' * 10_000}</p>" + "<ul><li>שלום</li>" * 40 + "</ul>" * 40
    before = time.thread_time()
    directed(html)
    assert time.thread_time() - before < 5
