"""Links of replies: where an address ends, what may be followed, and what says where it leads."""

import pytest

from conversations.markdown.rendering import render
from tests.support.elements import read
from tests.support.growing import fed
from tests.support.markup import check


def links(text: str) -> list[tuple[str, str]]:
    """Targets and words of the links in a text."""
    html = render(text)
    check(html)
    return [(link["href"], link.inner) for link in read(html).all("a")]


def words(text: str) -> str:
    """What is read of a text, however it comes."""
    assert fed(text) == render(text)
    return check(render(text)).strip()


@pytest.mark.parametrize(
    "after", [*"（）。，、；：！？「」『』【】《》〈〉“”‘’«»…—؟،؛।｡\u3000\u200b\u200f→✅", "。", "）。", "👍"]
)
@pytest.mark.parametrize("url", ["https://example.com", "https://example.com/docs", "https://example.com:80/a?b=c#d"])
def test_an_address_ends_before_other_scripts_punctuation(url: str, after: str) -> None:
    assert links(f"{url}{after}后") == [(url, url)]
    assert links(f"- **x** 见{url}{after}") == [(url, url)]


@pytest.mark.parametrize("before", ["是", "の", "은", "ที่", "（", "：", "“", "é", "ب", "(", "*"])
def test_an_address_begins_after_any_script(before: str) -> None:
    for url, href in [
        ("https://example.com/path", "https://example.com/path"),
        ("www.example.com", "http://www.example.com"),
        ("a.b+c@example.com", "mailto:a.b+c@example.com"),
        ("mailto:a@example.com", "mailto:a@example.com"),
    ]:
        assert links(f"{before}{url} x") == [(href, url)]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://example.com请看", "https://example.com"),
        ("https://münchen.example/straße", "https://münchen.example/straße"),
        ("https://zh.wikipedia.org/wiki/人工智能。", "https://zh.wikipedia.org/wiki/人工智能"),
        (
            "https://ja.wikipedia.org/wiki/レオナルド・ダ・ヴィンチ",
            "https://ja.wikipedia.org/wiki/レオナルド・ダ・ヴィンチ",
        ),
        ("https://en.wikipedia.org/wiki/Bose–Einstein", "https://en.wikipedia.org/wiki/Bose–Einstein"),
        ("https://例子.中国/路径", "https://例子.中国/路径"),
        ("https://example.com/a_(b)_c", "https://example.com/a_(b)_c"),
        ("(https://example.com/x).", "https://example.com/x"),
        ("http://[::1]:8000/x", "http://[::1]:8000/x"),
        ("http://[2001:db8::1].", "http://[2001:db8::1]"),
    ],
)
def test_an_address_keeps_what_belongs_to_it(text: str, url: str) -> None:
    assert links(text) == [(url, url)]


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:a/b.git",
        "react@18.2.0",
        "@someone",
        "a@b",
        "www.",
        "www.a",
        "awww.example.com",
        "`a@b.example`",
        "http://x.example:99999/",
        "root@host:/srv",
        "[a](b",
        "user@-",
    ],
)
def test_what_only_resembles_an_address_is_text(text: str) -> None:
    assert links(text) == []
    assert words(text) == text.strip("`")


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("[a](<https://x.example/a file.pdf>)", "https://x.example/a%20file.pdf"),
        ("[a](<https://x.example/(a>)", "https://x.example/(a"),
        ("[a]( <https://x.example/a b> 't')", "https://x.example/a%20b"),
        ("| [a](<https://x.example/a b>) |\n|-|", "https://x.example/a%20b"),
        ("[a]\n\n[a]: <https://x.example/a b>", "https://x.example/a%20b"),
        ("[a](tel:+49301234567)", "tel:+49301234567"),
        ("[a](http://[::1]:8080/x)", "http://[::1]:8080/x"),
        ("[a](https://x.example/$b$)", "https://x.example/$b$"),
    ],
)
def test_targets_are_read_as_commonmark_says(text: str, href: str) -> None:
    assert links(text) == [(href, "a")]


def test_autolinks_know_numbers_and_numeric_hosts() -> None:
    assert links("<http://[::1]> <tel:+123>") == [("http://[::1]", "http://[::1]"), ("tel:+123", "tel:+123")]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[the guide](/docs/guide)", "the guide (/docs/guide)"),
        ("[app.py](app.py)", "app.py"),
        ("[**app**.py](app.py)", "app.py"),
        ("[a](#install), b", "a (#install), b"),
        ("[x](javascript:alert(1))", "x (javascript:alert(1))"),
        ("[x](vscode://file/x)", "x (vscode://file/x)"),
        ("[a](http://)", "a (http://)"),
        ("[a](http://x.example:99999)", "a (http://x.example:99999)"),
        ("![chart](data:image/png;base64,AAAA)", "chart (data:image/png;base64,AAAA)"),
        ("[a][b]\n\n[b]: /c", "a (/c)"),
    ],
)
def test_a_target_that_may_not_be_followed_stays_readable(text: str, shown: str) -> None:
    assert links(text) == []
    assert words(text) == shown


def test_a_long_target_is_cut() -> None:
    assert len(check(render(f"![](data:image/png;base64,{'A' * 100_000})"))) < 300


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[https://bank.example](https://evil.example/x)", "https://bank.example (evil.example)"),
        ("[bank.example](https://evil.example)", "bank.example (evil.example)"),
        ("[Go to www.bank.example now](https://evil.example)", "Go to www.bank.example now (evil.example)"),
        ("[**bank**.example](https://evil.example)", "bank.example (evil.example)"),
        ("[bank\u200b.example](https://evil.example)", "bank\u200b.example (evil.example)"),
        ("[bank。example](https://evil.example)", "bank。example (evil.example)"),
        ("[https://bank.example](https://bank.example@evil.example/)", "https://bank.example (evil.example)"),
        ("[https://a.example](https://a.example.evil.example/)", "https://a.example (a.example.evil.example)"),
        ("[a][b]\n\n[b]: https://evil.example", "a"),
        ("[bank.example][b]\n\n[b]: https://evil.example", "bank.example (evil.example)"),
        ("[x.example](https://docs.x.example)", "x.example (docs.x.example)"),
        ("[192.168.0.1](http://10.0.0.1)", "192.168.0.1 (10.0.0.1)"),
        ("![https://bank.example](https://evil.example/a.png)", "https://bank.example (evil.example)"),
        ("[me@bank.example](mailto:you@evil.example)", "me@bank.example (you@evil.example)"),
        ("[me@bank.example](https://evil.example)", "me@bank.example (evil.example)"),
        ("[+49 30 1234567](tel:+1900555)", "+49 30 1234567 (+1900555)"),
        ("[https://bank.example](http://[::1]/)", "https://bank.example (::1)"),
        ("[http://[::1]/](https://evil.example)", "http://[::1]/ (evil.example)"),
        ("[See HTTP://intranet/x](https://evil.example)", "See HTTP://intranet/x (evil.example)"),
        ("[http://localhost:80](http://localhost/a)", "http://localhost:80"),
        # The same place, or no place at all.
        ("[https://x.example/a](https://x.example/b)", "https://x.example/a"),
        ("[x.example](https://www.x.example)", "x.example"),
        ("[www.x.example](https://x.example)", "www.x.example"),
        ("[README.md](https://x.example/README.md)", "README.md"),
        ("[Node.js 20.1](https://x.example)", "Node.js 20.1"),
        ("[me@x.example](mailto:me@x.example?subject=a)", "me@x.example"),
        ("[030 1234567](tel:+49301234567)", "030 1234567"),
        ("[e.g. this](https://x.example)", "e.g. this"),
        ("[https://münchen.example](https://münchen.example/a)", "https://münchen.example"),
    ],
)
def test_a_link_that_names_another_place_says_where_it_leads(text: str, shown: str) -> None:
    assert len(links(text)) == 1
    assert words(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\\<b>", "<b>"),
        ("&#0;|&#x0;|&#xD800;|&#1;", "\ufffd|\ufffd|\ufffd|\ufffd"),
        ("`\\< &#0;`", "\\< &#0;"),
        ("    \\< &#0;", "\\< &#0;"),
    ],
)
def test_escapes_and_numbers_are_read_as_commonmark_says(text: str, shown: str) -> None:
    assert words(text).removeprefix("codeCopy code") == shown
