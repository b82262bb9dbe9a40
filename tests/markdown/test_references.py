"""Reference links and footnotes: what one block defines for others, also for those that are there already."""

import pytest

from conversations.markdown.rendering import BlockStream, render
from tests.support.elements import read
from tests.support.growing import fed
from tests.support.markup import check, random_from_a_seed


def links(html: str) -> list[tuple[str, str]]:
    """Targets and words of the links in HTML."""
    check(html)
    return [(link["href"], link.inner) for link in read(html).all("a")]


@pytest.mark.parametrize(
    "use",
    [
        "[docs]",
        "[docs][]",
        "[Docs]",
        "[docs][docs]",
        "[a\nb][DOCS]",
        "![docs]",
        "- [docs]",
        "> [docs]",
        "# [docs]",
        "| [docs] |\n|-|",
    ],
)
@pytest.mark.parametrize("between", ["", "a\n\n", "```\n[docs]\n```\n"])
@pytest.mark.parametrize(
    "definition", ["[docs]: https://x.example/a", "> [docs]:\n> https://x.example/a", "- [docs]: https://x.example/a"]
)
def test_a_reference_is_a_link_wherever_it_is_defined(use: str, between: str, definition: str) -> None:
    for text in (f"{use}\n\n{between}{definition}\n", f"{definition}\n\n{between}{use}\n"):
        [(href, words)] = links(render(text))
        assert href == "https://x.example/a"
        # The definition itself is not shown.
        assert "x.example" not in words
        assert fed(text) == render(text)


def test_the_first_definition_counts_and_the_title_is_kept() -> None:
    assert 'title="T &lt;b&gt;"' in render('[a]\n\n[a]: https://x.example "T <b>"\n\n[a]: https://y.example')
    assert "y.example" not in render("[a]: https://x.example\n\n[a]: https://y.example\n\n[a]")


@pytest.mark.parametrize("text", ["[1][2]", "a[0][1] and x[i]", "【1†source】", "[^1] and [^x]", "[x]", "[ ]"])
def test_what_nothing_defines_stays_as_it_is_written(text: str) -> None:
    assert render(text) == f"<p>{text}</p>\n"


def test_a_reference_is_a_link_as_soon_as_it_is_defined() -> None:
    stream = BlockStream()
    stream.append("See [a].\n\nMore\n\n")
    assert links(stream.take().finished) == []
    assert stream.revision == 0
    stream.append("[a]: https://x.example\n\nand")
    stream.take()
    assert stream.revision == 1
    assert links(stream.whole().finished) == [("https://x.example", "a")]
    stream.append(" [a]")
    assert links(stream.take().open) == [("https://x.example", "a")]
    assert stream.revision == 1


def test_what_is_sent_anew_for_late_definitions_is_bounded() -> None:
    text = "".join(f"[a{n}] and words\n\n" for n in range(500)) + "".join(
        f"[a{n}]: https://x.example\n\n" for n in range(500)
    )
    stream = BlockStream()
    sent, revision = 0, 0
    for line in text.splitlines(keepends=True):
        stream.append(line)
        blocks = stream.take()
        sent += len(blocks.finished) if stream.revision == revision else len(stream.whole().finished)
        revision = stream.revision
    assert revision > 0
    assert sent < 4 * len(stream.whole().finished) + 32_000
    stream.close()
    assert stream.whole().finished == render(text)
    assert len(links(render(text))) == 500


def test_a_footnote_is_led_to() -> None:
    html = render("Paris[^1], again[^1] and [^b].\n\n[^1]: One *note*\n[^b]: Two\n", key="k")
    assert html == (
        '<p>Paris<sup><a href="#note-k-1">1</a></sup>, again<sup><a href="#note-k-1">1</a></sup> and '
        '<sup><a href="#note-k-2">b</a></sup>.</p>\n'
        '<div class="footnote" id="note-k-1"><sup>1</sup>\n<p>One <em>note</em></p>\n</div>\n'
        '<div class="footnote" id="note-k-2"><sup>b</sup>\n<p>Two</p>\n</div>\n'
    )
    check(html)


@pytest.mark.parametrize("use", ["- a[^1]", "> a[^1]", "# a[^1]", "| a[^1] |\n|-|", "**a[^1]**", "1. a\n\n   b[^1]"])
def test_a_footnote_may_be_used_anywhere(use: str) -> None:
    text = f"{use}\n\n[^1]: note\n"
    assert links(render(text)) == [("#note-1", "1")]
    assert fed(text) == render(text)


def test_a_footnote_holds_blocks() -> None:
    text = "a[^1]\n\n[^1]: One\n\n    two\n\n    - item\n\n    ```py\n    x\n\n    y\n    ```\n\nafter[^1]\n"
    html = render(text)
    assert fed(text) == html
    note = html[html.index('<div class="footnote"') : html.index("</div>")]
    assert all(part in note for part in ("<p>One</p>", "<p>two</p>", "<li>item</li>", ">py<"))
    assert links(html) == [("#note-1", "1"), ("#note-1", "1")]


def test_footnotes_follow_each_other_and_what_is_before() -> None:
    html = render("text\n[^1]: a\n[^2]: b\n[x]: https://x.example\n\n[^1][^2][x]")
    assert html.startswith('<p>text</p>\n<div class="footnote" id="note-1"><sup>1</sup>\n<p>a</p>\n</div>\n')
    assert [href for href, _ in links(html)] == ["#note-1", "#note-2", "https://x.example"]


def test_no_two_footnotes_of_a_page_have_one_id() -> None:
    text = "[^1]\n\n[^1]: a\n\n[^1]: b\n\n[^ 1]: c\n\n[^2]: d"
    ids = [note["id"] for note in read(render(text, key="a") + render(text, key="b")).all("[id]")]
    assert len(ids) == len(set(ids)) >= 4
    assert all(name.startswith(("note-a-", "note-b-")) for name in ids)


@pytest.mark.parametrize(
    "text",
    [
        "[x](#composer)",
        "[x](footnote:1)",
        "[x]: #m-1\n\n[x]",
        "[^1]: #m-1\n\n[^1]",
        "[^m-1]\n\n[^m-1]: a",
        "[x](%EF%B7%971)",
        '[^"><script>]\n\n[^"><script>]: a',
        "[^<b>]: a\n\n[^<b>]",
    ],
)
def test_a_text_leads_to_its_own_footnotes_alone(text: str) -> None:
    html = render(text, key="k")
    assert all(href.startswith("#note-k-") for href, _ in links(html))


def test_random_definitions_are_the_same_however_they_come() -> None:
    seed, chance = random_from_a_seed()
    pieces = [
        "[a]",
        "[b][a]",
        "[^a]",
        "[^b]",
        "\n\n",
        "\n",
        "[a]: https://x.example\n",
        "[b]: /c\n",
        "[^a]: ",
        "[^b]: d\n",
        "x ",
        "- ",
        "> ",
        "    ",
        "```\n",
        "# ",
    ]
    for _ in range(300):
        text = "".join(chance.choice(pieces) for _ in range(chance.randrange(1, 40)))
        assert fed(text) == render(text), f"seed {seed}: {text!r}"
        check(render(text))
