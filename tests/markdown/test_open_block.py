"""The block of growing Markdown that is still open: it looks as it will once it is finished."""

import re

import pytest

from conversations.markdown.rendering import BlockStream
from tests.support.elements import read
from tests.support.growing import ANSWER, fed


def opened(text: str) -> str:
    """HTML of what is open after `text`."""
    stream = BlockStream()
    stream.append(text)
    return stream.take().open


def words(fragment: str) -> str:
    """What is read, outside code and formulas."""
    return read(fragment).text(without="math, code")


def test_no_sign_is_seen_before_it_is_understood() -> None:
    stream = BlockStream()
    for end, character in enumerate(ANSWER):
        stream.append(character)
        shown = words(stream.take().open)
        assert not re.search(r"\*\*|\$\$|`|\|-|~~|\]\(|\\\[|\\\(|__|^#|\*\w", shown, re.MULTILINE), ANSWER[: end + 1]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**bold *both", "<p><strong>bold <em>both</em></strong></p>\n"),
        ("**bold*", "<p><strong>bold</strong></p>\n"),
        ("a **", "<p>a</p>\n"),
        ("2 * 3", "<p>2 * 3</p>\n"),
        ("snake_case", "<p>snake_case</p>\n"),
        ("a `cod", "<p>a <code>cod</code></p>\n"),
        ("a ``b`c", "<p>a <code>b`c</code></p>\n"),
        ("**[words](https://x.ex", "<p><strong>words</strong></p>\n"),
        ("![words](htt", "<p>words</p>\n"),
        ("~~gone", "<p><del>gone</del></p>\n"),
        ("Text\n-", "<p>Text</p>\n"),
        ("Text\n==", "<p>Text</p>\n"),
        ("#", ""),
        ("- **a", "<ul>\n<li><strong>a</strong></li>\n</ul>\n"),
        ("- [x", ""),
        ("$$", '<div class="math" tabindex="0"><math display="block"></math></div>\n'),
        (
            "$$\\frac{a}{b + \\sq",
            '<div class="math" tabindex="0"><math display="block"><mfrac><mi>a</mi><mrow><mi>b</mi>'
            '<mo lspace="0" rspace="0">+</mo></mrow></mfrac></math></div>\n',
        ),
        ("$x^2", "<p><math><msup><mi>x</mi><mn>2</mn></msup></math></p>\n"),
        ("a $5 and", "<p>a $5 and</p>\n"),
        ("\\(", "<p><math></math></p>\n"),
    ],
)
def test_half_written_signs_look_as_they_will(text: str, html: str) -> None:
    assert opened(text) == html


def test_a_fence_is_a_code_block_at_once() -> None:
    for text in ("```py", "```py\n", "~~~py\n", "- a\n\n  ```py\n", "> ```py\n"):
        assert '<figure class="code"><figcaption><span>py</span>' in opened(text)


@pytest.mark.parametrize("before", ["", "- a\n\n  ", "> "])
def test_open_code_has_no_colours_and_no_flash_of_its_closing_fence(before: str) -> None:
    indent = {"- a\n\n  ": "  "}.get(before, before)
    for end in ("", "`", "``", "```"):
        shown = opened(f"{before}```py\n{indent}x = 1 **a** $$\n{indent}{end}")
        assert "<span class=" not in shown or end == "```"
        assert "x = 1 **a** $$" in read(shown).text()
        assert "`" not in shown
        assert "\ufdd5" not in shown
    assert "<span class=" in fed([f"{before}```py\n{indent}x = 1\n{indent}```\n"])


def test_code_that_is_closed_within_an_open_list_has_its_colours() -> None:
    assert '<span class="m">' in opened("1. a\n   ```py\n   x = 1\n   ```\n2. b")


def test_a_table_is_a_table_from_its_head_on() -> None:
    for end in range(2, len(table := "| a | **b** |\n|:--|--:|\n| 1 | 2 |")):
        if table[:end].strip("| "):
            shown = opened(table[:end])
            assert shown.startswith('<div class="table"'), table[:end]
            assert "|" not in shown
