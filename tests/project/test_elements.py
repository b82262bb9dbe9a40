"""How tests read HTML: what a selector means, and what of an element is read."""

import pytest

from tests.support.elements import read

PAGE = """
<main id="top" class="wide chat">
  <form action="/c/1/?a=1&amp;b=2"><input name="at" value="3"><button disabled>Go <b>on</b></button></form>
  <ul id="results"><li class="hit">One &lt;two&gt;</li><li><svg><path d="M0"/></svg><i>Three</i></li></ul>
</main>
"""


@pytest.mark.parametrize(
    ("selector", "tags"),
    [
        ("b", ["b"]),
        ("li, b", ["b", "li", "li"]),
        ("#results li", ["li", "li"]),
        ("main.chat.wide .hit", ["li"]),
        ("li.wide", []),
        ("ul form", []),
        ("[disabled]", ["button"]),
        ('form[action="/c/1/?a=1&b=2"] input[value="3"]', ["input"]),
        ('[action^="/c/"], [action$="=2"]', ["form"]),
        ('[action*="a=1&b"]', ["form"]),
        ('[action^="c/"]', []),
        ("svg *", ["path"]),
        ("svg i", []),
    ],
)
def test_a_selector_means_what_it_means_in_css(selector: str, tags: list[str]) -> None:
    assert [element.tag for element in read(PAGE).all(selector)] == tags


@pytest.mark.parametrize("selector", ["", "ul > li", "a,", "p:first-child", "[name=at]", '[name~="at"]'])
def test_what_is_not_understood_is_refused(selector: str) -> None:
    with pytest.raises(AssertionError, match="is no selector"):
        read(PAGE).all(selector)


def test_an_element_has_its_attributes_its_text_and_what_was_written() -> None:
    page = read(PAGE)
    assert page.one("form")["action"] == "/c/1/?a=1&b=2"
    assert ("disabled" in page.one("button"), "disabled" in page.one("form")) == (True, False)
    assert page.one("button").text() == "Go on"
    assert page.one("button").text(without="b, i") == "Go "
    assert page.one("#results").inner == PAGE[PAGE.index('<li class="hit">') : PAGE.index("</ul>")]
    assert page.one("svg").outer == '<svg><path d="M0"/></svg>'
    assert page.one("li.hit").text() == "One <two>"
    assert page.words == "Go on One <two> Three"


def test_the_only_one_is_asked_for() -> None:
    for selector, count in (("li", 2), ("table", 0)):
        with pytest.raises(AssertionError, match=f"{count} of {selector}"):
            read(PAGE).one(selector)


@pytest.mark.parametrize("html", ["<p>", "</p>", "<p><b></p></b>", "<div/>", "<ul><li>one</ul>"])
def test_what_is_not_well_nested_is_refused(html: str) -> None:
    with pytest.raises(AssertionError, match="end"):
        read(html)
