"""Markdown that grows: what is finished, what is open, and that both end as the whole text's HTML."""

import html
import re
import time
from collections.abc import Iterable
from itertools import pairwise

import pyromark
import pytest

from conversations.highlight import figure
from conversations.markdown import OPTIONS, BlockStream, render
from conversations.markdown_html import finished
from conversations.markdown_source import prepare
from tests.markup import ATTACKS, PIECES, check, random_from_a_seed

ANSWER = """\
# A title with **weight**

Some *text* with **bold words**, `code`, __more__, and a [link](https://x.example/a_b "t"). It costs $5 and $10.
Points without a blank line:
- first **item**
- second `item`
  - nested

    a paragraph
- [ ] to do
- [x] done

| Name | Value |
|:-----|------:|
| **a** | $|x|$ |
| b | 2 |

Euler: $E = mc^2$ and \\(a_1 + b_1\\), then

$$
\\frac{a}{b}
= \\sqrt{c}
$$

\\[ x = \\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix} \\]

> quoted **text**
> more

```python
def f(x):
    return "**no**"

```

1. Step:
   ```bash
   ls -la

   pwd
   ```
2. End ~~gone~~ ![alt](https://x.example/b.png) snake_case_word 2 * 3 * 4.

Heading two
---

***

Done <b>x</b> [text](https://x.example/(x)).
"""


def opened(text: str) -> str:
    """HTML of what is open after `text`."""
    stream = BlockStream()
    stream.append(text)
    return stream.take().open


def fed(parts: Iterable[str]) -> str:
    """All that a viewer gets who looks after each part."""
    stream = BlockStream()
    seen = ""
    for part in parts:
        stream.append(part)
        seen += stream.take().finished
    stream.close()
    last = stream.take()
    assert last.open == ""
    seen += last.finished
    assert (stream.whole().finished, stream.whole().open) == (seen, "")
    return seen


def words(fragment: str) -> str:
    """What is read, outside code and formulas."""
    fragment = re.sub(r"<math.*?</math>|<code>.*?</code>", "", fragment, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "", fragment))


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
        whole = finished(pyromark.html(source.text, options=OPTIONS, highlight=plain_code), source)
        assert re.sub(r"\s+", "", render(text)) == re.sub(r"\s+", "", whole), f"seed {seed}: {text!r}"


def plain_code(language: str | None, code: str) -> str:
    return figure(language or "", code, coloured=False)


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
        assert "x = 1 **a** $$" in html.unescape(re.sub("</?span[^>]*>", "", shown))
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
