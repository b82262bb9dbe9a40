"""Whole texts as HTML: what is understood, what is only shown, and what can never come out."""

import time

import pytest

from conversations.markdown import highlight, math
from conversations.markdown.rendering import render
from tests.support.elements import read
from tests.support.markup import ATTACKS, PIECES, check, random_from_a_seed

LINK = 'target="_blank" rel="noopener noreferrer nofollow"'


def code(language: str, html: str) -> str:
    return (
        f'<figure class="code"><figcaption><span>{language}</span><button type="button" class="quiet" data-copy="">'
        f'Copy code</button></figcaption><pre tabindex="0"><code>{html}</code></pre></figure>\n'
    )


def table(html: str) -> str:
    return f'<div class="table" tabindex="0" role="region" aria-label="Table"><table>{html}</table></div>\n'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("", ""),
        (" \n\t\n", ""),
        ("One\ntwo", "<p>One<br>\ntwo</p>\n"),
        ("One  \ntwo", "<p>One<br>\ntwo</p>\n"),
        ("One\r\n\r\ntwo\rthree", "<p>One</p>\n<p>two<br>\nthree</p>\n"),
        ("One\u2028two", "<p>One\u2028two</p>\n"),
        ("**a** *b* ~~c~~ `d`", "<p><strong>a</strong> <em>b</em> <del>c</del> <code>d</code></p>\n"),
        ("# a\n###### b\nText\n===", "<h2>a</h2>\n<h3>b</h3>\n<h2>Text</h2>\n"),
        ("### a\n### b\n##### c\n#### d\n# e", "<h2>a</h2>\n<h2>b</h2>\n<h3>c</h3>\n<h3>d</h3>\n<h2>e</h2>\n"),
        ("##### a\n#b", "<h2>a</h2>\n<p>#b</p>\n"),
        ("> a\nb", "<blockquote>\n<p>a<br>\nb</p>\n</blockquote>\n"),
        ("3. a\n4. b", '<ol start="3">\n<li>a</li>\n<li>b</li>\n</ol>\n'),
        ("- a\n- b\n\n  c", "<ul>\n<li>\n<p>a</p>\n</li>\n<li>\n<p>b</p>\n<p>c</p>\n</li>\n</ul>\n"),
        ("a\n\n---\n\nb", "<p>a</p>\n<hr>\n<p>b</p>\n"),
        (
            "- [ ] a\n- [x] b",
            '<ul>\n<li><input type="checkbox" disabled="" aria-label="To do">\na</li>\n'
            '<li><input type="checkbox" disabled="" checked="" aria-label="Done">\nb</li>\n</ul>\n',
        ),
        (
            "| a | b | c | d |\n|:-|:-:|-:|-|\n| 1 | 2 | 3 | \\| |",
            table(
                '<thead><tr><th class="left">a</th><th class="center">b</th><th class="right">c</th><th>d</th></tr>'
                '</thead><tbody>\n<tr><td class="left">1</td><td class="center">2</td><td class="right">3</td>'
                "<td>|</td></tr>\n</tbody>"
            ),
        ),
        ("\ud83d\ude00 \ud800.", "<p>😀 \ufffd.</p>\n"),
        ("a\x00b\x1b", "<p>a\ufffdb\ufffd</p>\n"),
    ],
    ids=repr,
)
def test_markdown_becomes_html(text: str, html: str) -> None:
    assert render(text) == html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("[a](https://x.example/?b=1&c=2)", f'<a href="https://x.example/?b=1&amp;c=2" {LINK}>a</a>'),
        ("[a](https://x.example 't')", f'<a href="https://x.example" title="t" {LINK}>a</a>'),
        ("[a](mailto:b@x.example)", f'<a href="mailto:b@x.example" {LINK}>a</a>'),
        ("<b@x.example>", f'<a href="mailto:b@x.example" {LINK}>b@x.example</a>'),
        ("<https://x.example>", f'<a href="https://x.example" {LINK}>https://x.example</a>'),
        ("https://x.example/a_b_c.", f'<a href="https://x.example/a_b_c" {LINK}>https://x.example/a_b_c</a>.'),
        ("(http://x.example/(a))", f'(<a href="http://x.example/(a)" {LINK}>http://x.example/(a)</a>)'),
        ("HTTP://127.0.0.1:80?a&b", f'<a href="HTTP://127.0.0.1:80?a&amp;b" {LINK}>HTTP://127.0.0.1:80?a&amp;b</a>'),
        ("`https://x.example`", "<code>https://x.example</code>"),
        ("https://", "https://"),
        ("[a](/accounts/logout/)", "a (/accounts/logout/)"),
        ("[a](javascript:b)", "a (javascript:b)"),
        ("![a *b*](https://x.example/c.png)", f'<a href="https://x.example/c.png" {LINK}>a b</a>'),
        ("![](https://x.example/c.png)", f'<a href="https://x.example/c.png" {LINK}>image</a>'),
        ("[![a](https://x.example/c.png)](https://y.example)", f'<a href="https://y.example" {LINK}>a</a>'),
        ("![a](c.png)", "a (c.png)"),
    ],
)
def test_links_open_safely_and_pictures_are_only_linked(text: str, html: str) -> None:
    assert render(text) == f"<p>{html}</p>\n"


@pytest.mark.parametrize(
    "text",
    [
        "<b>a</b>",
        "<div>\n<p>a</p>\n\n</div>",
        "a <br id=x> &amp; <hr>",
        "<details class=a>",
        "</p>",
        "<x@y",
        "List<int>",
    ],
)
def test_raw_html_is_shown_as_it_is_written(text: str) -> None:
    assert check(render(text)).split() == text.replace("&amp;", "&").split()


def test_code_has_its_language_and_a_copy_button() -> None:
    assert render("```python\nx = 1 < 2\n```") == code(
        "python", 'x = <span class="m">1 </span>&lt; <span class="m">2\n</span>'
    )
    assert render("```\na\n\n  b\n") == code("code", "a\n\n  b\n")
    assert render("``` no<such {.lang} x\n<b>\n~~~\n```") == code("no&lt;such", "&lt;b&gt;\n~~~\n")
    assert render("~~~~\n```\n~~~\n~~~~") == code("code", "```\n~~~\n")
    assert render("    a\n\n    b") == code("code", "a\n\nb\n")
    assert render("  ```\n  a\n b\n   c\n  ```") == code("code", "a\nb\n c\n")
    assert f"<span>{'x' * highlight.LANGUAGE_MAX}</span>" in render(f"```{'x' * 1000}\n```")


def test_code_within_lists_and_quotes_is_code_all_the_same() -> None:
    inner = code("sh", "ls\n").rstrip("\n")
    assert inner in render("1. a\n\n   ```sh\n   ls\n   ```\n\n2. b")
    assert inner in render("> ```sh\n> ls\n> ```")
    assert render("- ```\n  <b> $x$ a[0]: &amp;\n  ```").count("&lt;b&gt; $x$ a[0]: &amp;amp;") == 1


def test_no_lexer_loses_a_character() -> None:
    seed, chance = random_from_a_seed()
    for name in sorted(set(highlight.LEXERS)):
        text = "".join(chance.choice([*PIECES, "def ", "x = 1;\n", "<?php ", "/*", "{{", "'"]) for _ in range(150))
        coloured = read(highlight.coloured_code(name, text))
        assert coloured.all("*") == coloured.all("span")
        assert coloured.text() == text, f"seed {seed}, {name}"


def test_code_that_is_long_or_slow_to_read_stays_plain() -> None:
    assert "<span" not in highlight.coloured_code("python", "def a(): pass\n" * 1000)
    assert "<span" not in highlight.coloured_code("java", "\n" * 7000 + "class A {}")
    assert "<span" in highlight.coloured_code("python", "def a(): pass\n" * 100)


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("$x$", "x"),
        ("\\(x_1 * y_1\\)", "x_1 * y_1"),
        ("the $n$th", "n"),
        ("**$x$**", "x"),
        ("$x$, $\\$5$", "x"),
        ("| $|x|$ |\n|-|", "|x|"),
        ("$P(A | B)$", "P(A | B)"),
        ("# $E = mc^2$", "E = mc^2"),
        ("$a<b$", "a<b"),
    ],
)
def test_formulas_in_a_line_become_mathml(text: str, latex: str) -> None:
    mathml = math.mathml(latex, display=False)
    assert mathml is not None
    assert mathml.startswith("<math>")
    assert mathml in render(text)


@pytest.mark.parametrize(
    "text",
    [
        "$$\na\n- b\n= c\n$$",
        "\\[\na\n- b\n= c\n\\]",
        "$$a - b = c$$",
        "> $$\n> a\n> - b\n> = c\n> $$",
        "1. x\n\n   $$\n   a\n   - b\n   = c\n   $$",
        "x\n$$a - b = c$$\ny",
        "- $$a - b = c$$",
    ],
)
def test_formulas_on_their_own_become_blocks(text: str) -> None:
    html = render(text)
    check(html)
    formula = "<mi>a</mi><mo>−</mo><mi>b</mi><mo>=</mo><mi>c</mi>"
    assert f'<div class="math" tabindex="0"><math display="block">{formula}</math></div>' in html
    assert "<p></p>" not in html


@pytest.mark.parametrize(
    "text",
    [
        "$5 and $10",
        "$5-$10",
        "$5/$10, US$5",
        "from $1,000 to $2,000",
        "$HOME/bin:$PATH",
        "$HOME and $USER",
        "5$ or 6$",
        "\\$x\\$",
        "`$x$` and ``\\(y\\)``",
        "$ x $",
        "$x\n\ny$",
        "| $5 | 6$ |\n|-|-|",
        "costs $5 (about 4$)",
    ],
)
def test_prices_variables_and_code_are_not_formulas(text: str) -> None:
    html = render(text)
    assert "<math" not in html
    assert check(html).count("$") == text.count("$")


def test_code_keeps_its_formulas_signs() -> None:
    assert render("    $x$ \\(y\\)") == code("code", "$x$ \\(y\\)\n")
    assert render("- a\n\n  ```sh\n  echo $a$\n  ```\n  $x$").count("<math>") == 1
    assert "https://x.example/$a$" in render("https://x.example/$a$")


@pytest.mark.parametrize(
    "latex",
    [
        "\\frac{a}",
        "\\nosuch{x}",
        "\\href{javascript:a}{b}",
        "}{",
        "\\newcommand{\\a}{b}\\a",
        "x" * 3000,
        "{" * 100 + "}" * 100,
        "\\left(" * 13,
    ],
)
def test_a_malformed_formula_shows_its_source(latex: str) -> None:
    assert render(f"a $${latex}$$ b") == f"<p>a <code>$${latex}$$</code> b</p>\n"


@pytest.mark.parametrize(
    "latex",
    [
        r"\begin{align} a &= b \\ &= c \tag{1} \end{align}",
        r"\begin{equation*} a \label{x} \end{equation*}",
        r"a &= b \\ c &= d",
        r"\begin{cases} 1 & \text{if $x > 0$} \\ 0 & \text{else} \end{cases}",
        r"\sum_{\substack{i<j\\j<k}} x \nonumber",
        r"\boxed{42} \ce{H2O} \large x",
        r"\begin{array}{c|c} a & b \\ \hline c & d \end{array}",
        "(" * 60 + ")" * 60,
        r"\{" * 20 + r"\langle" * 20 + r"\bigl[" * 20,
    ],
)
def test_what_models_write_in_formulas_is_understood(latex: str) -> None:
    html = render(f"$${latex}$$")
    assert html.startswith('<div class="math" tabindex="0"><math display="block">')
    check(html)
    assert " style=" not in html


def test_the_bounds_of_formulas_change_nothing_that_is_read() -> None:
    few, many = "f(x) + [0, 1)", " + ".join(["f(x) + [0, 1)"] * 20)
    assert check(math.mathml(few, display=False) or "") in check(math.mathml(many, display=False) or "")


@pytest.mark.parametrize("text", ATTACKS, ids=range(len(ATTACKS)))
def test_an_attack_leaves_only_the_pages_own_html(text: str) -> None:
    check(render(text))
    check(render(f"- > **{text}**\n\n| {text} |\n|-|\n| {text} |\n"))


def test_there_are_enough_attacks() -> None:
    assert len(set(ATTACKS)) >= 60


def test_random_text_leaves_only_the_pages_own_html() -> None:
    seed, chance = random_from_a_seed()
    for _ in range(1500):
        text = "".join(chance.choice([*PIECES, *ATTACKS]) for _ in range(chance.randrange(1, 40)))
        try:
            check(render(text))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {text!r}") from error


PATHOLOGICAL = {
    "quotes": ">" * 100_000,
    "spaced quotes": "> " * 50_000 + "x",
    "items": "- " * 50_000 + "x",
    "stars": "*" * 100_000,
    "emphasis": "*a **b " * 14_000,
    "mixed emphasis": "*_" * 50_000,
    "brackets": "[" * 100_000,
    "links": "[a](" * 25_000,
    "images": "![a" * 33_000,
    "backticks": "".join("`" * length + "a" for length in range(1, 440)),
    "fences in items": "- ```\n" * 16_000,
    "less": "<" * 100_000,
    "addresses": "http://a " * 11_000,
    "address with parentheses": "http://a/" + ")" * 100_000,
    "references": "[a]:" * 25_000,
    "numeric references": "&#" * 50_000,
    "backslashes": "\\" * 100_000,
    "open formulas": "\\(" * 50_000,
    "open displays": "$$a\n" * 25_000,
    "formulas": "$a$ " * 25_000,
    "spaces": " " * 100_000 + "x",
    "tabs": "\t" * 100_000 + "x",
    "lines": "a\n" * 50_000,
    "wide table": "|a" * 50_000 + "\n" + "|-" * 50_000,
    "deep list": "\n".join(" " * column + "- a" for column in range(0, 600, 2)),
    "rule": "* " * 50_000 + "x",
    "formula of brackets": f"${'([' * 1000}$",
    "formula of groups": f"${'{' * 2000}$",
    "formula of commands": "$" + "\\sqrt" * 490 + "$",
    "tags": "<sub>" * 20_000,
    "pairs of tags": "<sub>a</sub>" * 8_000,
    "tags within tags": "<sup>" * 10_000 + "a" + "</sup>" * 10_000,
    "breaks": "<br>" * 25_000,
    "folds in a line": "<details>" * 11_000,
    "folds in lines": "<details>\n<summary>a</summary>\n" * 3_000,
    "open titles": "<details><summary>" * 5_000,
    "half comments": "<!--" * 25_000,
    "comments": "<!-- -->" * 12_000,
    "comment lines": "<!--\n\n" * 16_000,
    "references without definitions": "[a][b] " * 14_000,
    "different references": "".join(f"[a{n}] " for n in range(12_000)),
    "definitions": "".join(f"[a{n}]: https://x.example\n" for n in range(4_000)),
    "late definitions": "".join(f"[a{n}] " for n in range(4_000)) + "\n\n" + "[a1]: /b\n\n" * 4_000,
    "late definitions one by one": "".join(f"[a{n}] " for n in range(4_000))
    + "".join(f"\n\n[a{n}]: https://x.example" for n in range(2_000)),
    "footnotes": "".join(f"[^{n}]\n\n[^{n}]: a\n" for n in range(4_000)),
    "Markdown in Markdown": "```md\n```x\n```\n" * 8_000,
    "Markdown in Markdown in items": "- ```md\n  ```x\n  ```\n" * 5_000,
    "Markdown without an end": "- ```md\n" * 12_000,
    "emphasis without spaces": "**请：**请" * 14_000,
    "environments": "\\begin{align}" * 7_000,
    "environments with ends": "\\begin{cases}a\\end{cases}" * 4_000,
    "chemicals": "\\ce{" * 20_000,
    "chemical in a formula": f"$\\ce{{{'^' * 2_000}}}$",
    "e-mail": "a@" * 50_000,
    "e-mail without an end": "a." * 50_000 + "@",
    "dotted names": "[" + "a." * 40_000 + "](https://x.example)",
    "www": "www.a" * 20_000,
    "targets": "[a](<" * 20_000,
    "long code": "```\n" + "<b> " * 250_000,
}


@pytest.mark.parametrize("name", PATHOLOGICAL)
def test_no_text_takes_long(name: str) -> None:
    started = time.thread_time()
    html = render(PATHOLOGICAL[name])
    assert time.thread_time() - started < 3
    check(html)


def test_a_table_is_never_much_larger_than_its_text() -> None:
    for row in ("|x\n", "x\n", "|\n"):
        text = "|a" * 2000 + "|\n" + "|-" * 2000 + "|\n" + row * 600
        assert len(render(text)) < 40 * len(text)


def test_an_honest_large_table_stays_a_table() -> None:
    text = "| a | b | c |\n|---|---|---|\n" + "| 1 | 2 | 3 |\n" * 2_000
    assert render(text).count("<tr>") == 2_001
