"""The few tags of HTML that take effect, comments, and that all others are text."""

import re

import pytest

from conversations.markdown.rendering import BlockStream, render
from tests.support.elements import read
from tests.support.growing import fed
from tests.support.markup import check, random_from_a_seed


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (
            "H<sub>2</sub>O x<sup>2</sup> <kbd>C</kbd>+<KBD>D</KBD>",
            "H<sub>2</sub>O x<sup>2</sup> <kbd>C</kbd>+<kbd>D</kbd>",
        ),
        ("a<br>b<br/>c<BR />d", "a<br>b<br>c<br>d"),
        ("a<br>\nb", "a<br>\nb"),
        ("**Note:**<br>x", "<strong>Note:</strong><br>x"),
        ("<sub>**a**</sub>", "<sub><strong>a</strong></sub>"),
        ("a <!-- b --> c<!---->d", "a  cd"),
        # Without a partner, with attributes or in code a tag is text.
        ("<sub>a", "&lt;sub&gt;a"),
        ("a</sub>", "a&lt;/sub&gt;"),
        ("<sub>a</sup>", "&lt;sub&gt;a&lt;/sup&gt;"),
        ("<sub id=x>a</sub>", "&lt;sub id=x&gt;a&lt;/sub&gt;"),
        ("`<br>` ``<sub>``", "<code>&lt;br&gt;</code> <code>&lt;sub&gt;</code>"),
        ("\\<br>", "&lt;br&gt;"),
        ("<br onclick=x><b>c</b><u>", "&lt;br onclick=x&gt;&lt;b&gt;c&lt;/b&gt;&lt;u&gt;"),
        ("a <!-- b", "a &lt;!-- b"),
        ("a</details> <summary>b</summary>", "a&lt;/details&gt; &lt;summary&gt;b&lt;/summary&gt;"),
        ("Use <details> here</details>", "Use &lt;details&gt; here&lt;/details&gt;"),
        # Crossing tags are put right.
        ("**<sup>a**</sup>", "<strong><sup>a</sup></strong>"),
    ],
)
def test_tags_in_a_line(text: str, html: str) -> None:
    assert render(text) == f"<p>{html}</p>\n"
    assert fed(text) == render(text)


def test_tags_within_what_markdown_makes() -> None:
    assert "<td>Stop<br>Back up<br>x<sup>2</sup></td>" in render("| a |\n|-|\n| Stop<br>Back up<br/>x<sup>2</sup> |")
    assert render("# <kbd>K</kbd><br>b") == "<h2><kbd>K</kbd><br>b</h2>\n"
    assert render("- a<br>b\n- <sub>c") == "<ul>\n<li>a<br>b</li>\n<li>&lt;sub&gt;c</li>\n</ul>\n"
    assert "&lt;br&gt; &lt;sub&gt;" in render("```\n<br> <sub>x</sub>\n```")
    assert "&lt;br&gt; &lt;sub&gt;" in render("- a\n\n      <br> <sub>x</sub>")
    check(render("| <sub>a | b</sub> |\n|-|-|\n| <kbd>c | d |"))
    check(render("- <sub>a\n- b</sub>"))


def test_a_tag_ends_with_its_paragraph() -> None:
    assert render("<sub>a\n\nb</sub>") == "<p>&lt;sub&gt;a</p>\n<p>b&lt;/sub&gt;</p>\n"


def test_comments_are_not_shown() -> None:
    assert check(render("<!-- a -->\n\nb\n\n<!-- c\n\n**d** -->\n\ne\n<!-- f -->\ng")).split() == ["b", "e", "g"]
    assert check(render("> <!-- a -->\n> b\n\n- c <!-- d -->")).split() == ["b", "c"]
    assert render("a\n<!-- b -->\nc").count("<br>") == 1
    assert check(render("<!-- a\n\n**b**")).split() == ["<!--", "a", "b"]
    assert "&lt;!-- a --&gt;" in render("`<!-- a -->`")
    assert "&lt;!-- a --&gt;" in render("```html\n<!-- a -->\n```").replace('<span class="c">', "").replace(
        "</span>", ""
    )


INNER = "- **a**\n\n```py\nx = '</details>'\n\ny\n```\n\n| c |\n|---|\n| d |"
FOLD = f"<details>\n<summary>More</summary>\n\n{INNER}\n\n</details>\n"


def test_what_folds_holds_blocks() -> None:
    html = render(f"a\n{FOLD}b")
    assert html.startswith(
        "<p>a</p>\n<details>\n<summary>More</summary>\n<ul>\n<li><strong>a</strong></li>\n</ul>\n<figure"
    )
    assert html.endswith("</table></div>\n</details>\n<p>b</p>\n")
    check(html)
    assert fed(f"a\n{FOLD}b") == html


@pytest.mark.parametrize(
    "text",
    [
        "<details><summary>s</summary>body</details>",
        "<details>\n<summary>s</summary>\nbody\n</details>",
        "<DETAILS>\n\n<Summary>s</Summary>\n\nbody\n\n</Details>",
        "<details>\n  <summary>\n  s\n  </summary>\n  body\n</details>",
        "<details open>\n<summary>s</summary>\n\nbody",
        "> <details>\n> <summary>s</summary>\n>\n> body\n> </details>",
        "1. a\n   <details>\n   <summary>s</summary>\n\n   body\n   </details>\n2. b",
        "- a\n<details>\n<summary>s</summary>\nbody\n</details>",
        "| a |\n|-|\n| <details><summary>s</summary>body</details> |",
        "<details>\n<summary>s</summary>\n\n- body\n</details>",
        "<details>\n<summary>s</summary>\n\n> body\n</details>",
        "<details>\n<summary>s</summary>\n\n# body\n</details>",
    ],
)
def test_a_fold_has_its_title_and_its_body(text: str) -> None:
    html = render(text)
    check(html)
    assert html.count("<details>") == html.count("</details>") == 1
    fold = read(html).one("details")
    assert fold.one("summary").inner.strip() == "s"
    assert "body" in fold.text(without="summary")
    assert "&lt;" not in html
    assert fed(text) == html


def test_folds_nest() -> None:
    html = render(f"<details>\n<summary>A</summary>\n\n{FOLD}\nb\n</details>\n\nc")
    check(html)
    assert html.count("</details>") == 2
    assert html.endswith("<p>b</p>\n</details>\n<p>c</p>\n")


def test_a_long_fold_goes_on_folded() -> None:
    code = "".join(f"x[{number}] = {number}\n" for number in range(2_000))
    text = f"<details>\n<summary>Code</summary>\n\n```py\n{code}```\n</details>\n\nafter\n"
    html = render(text)
    check(html)
    assert html.count("<details>") == html.count("<summary>Code</summary>") > 1
    assert html.endswith("</details>\n<p>after</p>\n")
    assert "".join(part.text() for part in read(html).all("code")) == code
    assert fed(re.findall(r".{1,5000}", text, re.DOTALL)) == html


def test_a_fold_that_was_only_mentioned_folds_nothing() -> None:
    html = render("<details> and <summary> are elements.\n\n**b**\n\n<details>\n\nc")
    assert "<details>" not in html
    assert "<strong>b</strong>" in html


def test_no_half_tag_is_seen_while_it_is_written() -> None:
    text = "H<sub>2</sub>O<br>x <kbd>K</kbd> <!-- c --> d\n\n" + FOLD.replace("'</details>'", "1")
    stream = BlockStream()
    for end, character in enumerate(text):
        stream.append(character)
        html = stream.take().open
        check(html)
        assert "&lt;" not in html, text[: end + 1]
        assert "<p></p>" not in html, text[: end + 1]


def test_a_fold_folds_while_it_is_written() -> None:
    stream = BlockStream()
    stream.append("<details>\n<summary>A</summary>\n\n```py\nx")
    assert stream.take().open.startswith("<details>\n<summary>A</summary>\n<figure")


def test_random_tags_leave_only_the_pages_own_html() -> None:
    seed, chance = random_from_a_seed()
    names = ("sub", "sup", "kbd", "details", "summary")
    pieces = [
        *(f"<{slash}{name}>" for name in names for slash in ("", "/")),
        *("<br>", "<!--", "-->", "a", "*", "**", "`", "\n", "\n\n", "- ", "> ", "| ", "|-|\n", "```\n", "    ", "# "),
        *("$", "[", "](https://x.example)", "[^1]", "[^1]: "),
    ]
    for _ in range(500):
        text = "".join(chance.choice(pieces) for _ in range(chance.randrange(1, 40)))
        try:
            html = render(text)
            check(html)
            assert fed(re.findall(r".{1,5}", text, re.DOTALL)) == html
        except Exception as error:
            raise AssertionError(f"seed {seed}: {text!r}") from error
