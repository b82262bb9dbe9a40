"""Text as people write it: emphasis without spaces, line feeds, Markdown within Markdown, bare formulas."""

import pytest

from conversations.markdown.rendering import BlockStream, render
from tests.support.elements import read
from tests.support.growing import fed
from tests.support.markup import check


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**重要提示：**请注意。", "<strong>重要提示：</strong>请注意。"),
        (
            "这是**“重点”**内容，含**「重点」**内容。",
            "这是<strong>“重点”</strong>内容，含<strong>「重点」</strong>内容。",
        ),
        ("**日本語（括弧付き）。**この文", "<strong>日本語（括弧付き）。</strong>この文"),
        ("**이 제품(신제품)**은 좋습니다.", "<strong>이 제품(신제품)</strong>은 좋습니다."),
        ("~~删除的文字。~~这个", "<del>删除的文字。</del>这个"),
        ("*强调。*这", "<em>强调。</em>这"),
        ("***重要：***请", "<em><strong>重要：</strong></em>请"),
        ("支持**（API）**调用", "支持<strong>（API）</strong>调用"),
        ("**注意：**API", "<strong>注意：</strong>API"),
        ("中文**“API”**text", "中文<strong>“API”</strong>text"),
        ("**สำคัญ:**โปรด", "<strong>สำคัญ:</strong>โปรด"),
        ("**`代码`**说明", "<strong><code>代码</code></strong>说明"),
        ("**$x$**是", "<strong><math><mi>x</mi></math></strong>是"),
        ("第**1.**步", "第<strong>1.</strong>步"),
        ("2 * 3 * 4，5*6", "2 * 3 * 4，5*6"),
        ("\\*不\\*", "*不*"),
        ("`**“` 和 `”**`", "<code>**“</code> 和 <code>”**</code>"),
        ("snake_case_名_字", "snake_case_名_字"),
    ],
)
def test_emphasis_needs_no_spaces_around_it(text: str, html: str) -> None:
    for before, after in [("", ""), ("- ", ""), ("> ", ""), ("# ", "")]:
        assert html in render(f"{before}{text}{after}")
    assert html in render(f"| {text} |\n|-|")
    assert fed(text) == render(text) == f"<p>{html}</p>\n"


@pytest.mark.parametrize("text", ["*£*bravo", '**"a"**b', "a**(b)**c"])
def test_other_emphasis_is_commonmarks(text: str) -> None:
    assert "<strong>" not in render(text)
    assert "<em>" not in render(text)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a\nb", "<p>a<br>\nb</p>\n"),
        ("**a**\n`b`\n[c](https://x.example)\n$d$\n~~e~~", None),
        ("a  \nb\\\nc", "<p>a<br>\nb<br>\nc</p>\n"),
        ("- a\n  b\n  - c\nlazy", "<ul>\n<li>a<br>\nb\n<ul>\n<li>c<br>\nlazy</li>\n</ul>\n</li>\n</ul>\n"),
        ("> a\n> b", "<blockquote>\n<p>a<br>\nb</p>\n</blockquote>\n"),
        ("a\nb\n===", "<h2>a<br>\nb</h2>\n"),
        ("- [ ] a\n  b", '<ul>\n<li><input type="checkbox" disabled="" aria-label="To do">\na<br>\nb</li>\n</ul>\n'),
        ("a\n- b", "<p>a</p>\n<ul>\n<li>b</li>\n</ul>\n"),
        ("`a\nb`", "<p><code>a b</code></p>\n"),
    ],
)
def test_a_line_feed_breaks_its_line(text: str, html: str | None) -> None:
    assert render(text) == (html or render(text))
    assert render(text).count("<br>") == (4 if html is None else html.count("<br>"))
    assert fed(text) == render(text)


def test_no_line_is_broken_beside_blocks_or_in_attributes() -> None:
    assert "<br>" not in render("x\n$$a$$\ny\n\n```\na\nb\n```\n\n- ```\n  a\n  b\n  ```\n\n| a |\n|-|\n| b |")
    assert 'title="b c"' in render("[a](https://x.example 'b\nc')")
    assert ">b c</a>" in render("![b\nc](https://x.example)")


def code(text: str) -> list[tuple[str, str]]:
    """Language and content of the code blocks in a text."""
    html = render(text)
    check(html)
    assert fed(text) == html
    blocks = read(html).all("figure.code")
    return [(block.one("figcaption span").text(), block.one("code").text()) for block in blocks]


def test_code_within_markdown_does_not_end_it() -> None:
    for info in ("markdown", "md", "Markdown title=x"):
        inner = "# T\n```python\nx\n```\nmore\n"
        assert code(f"```{info}\n{inner}```\nafter") == [(info.split()[0], inner)]
    assert code("~~~md\n~~~sh\nx\n~~~\n~~~\n") == [("md", "~~~sh\nx\n~~~\n")]
    inner = "# T\n\n```\nx\n```\n\nRun:\n```\ny\n```\n"
    assert code(f"```markdown\n{inner}```\n\nafter") == [("markdown", inner)]
    inner = "```md\n```js\nx\n```\n```\n"
    assert code(f"```md\n{inner}```\n") == [("md", inner)]


def test_code_within_markdown_within_lists_and_quotes_does_not_end_it() -> None:
    assert code("1. a\n   ```markdown\n   # T\n   ```sh\n   x\n   ```\n   b\n   ```\n2. c") == [
        ("markdown", "# T\n```sh\nx\n```\nb\n")
    ]
    assert code("> ```md\n> ```sh\n> x\n> ```\n> ```\n> c") == [("md", "```sh\nx\n```\n")]


def test_markdown_without_an_end_of_its_own_ends_as_commonmark_says() -> None:
    assert code("```md\n# T\n```\n\nb\n\n```js\ny\n```\n") == [("md", "# T\n"), ("js", "y\n")]
    assert code("```markdown\n```python\nx\n```\n\n**b**\n\n```js\ny\n```\n") == [
        ("markdown", "```python\nx\n"),
        ("js", "y\n"),
    ]
    assert code("- ```md\n  ```sh\n  x\n  ```\n\n  b") == [("md", "```sh\nx\n")]
    assert code("```text\n```python\nx\n```\n")[0] == ("text", "```python\nx\n")
    assert code("```md\n```python\nx") == [("md", "```python\nx\n")]


@pytest.mark.parametrize(
    "name", ["align", "align*", "equation", "gather", "cases", "pmatrix", "alignat", "displaymath", "multline"]
)
def test_an_environment_is_a_formula_without_dollars(name: str) -> None:
    columns = "{2}" if name == "alignat" else ""
    body = "a &= b \\\\\nc &= d" if name in ("align", "align*", "cases", "pmatrix", "alignat") else "a = b"
    formula = f"\\begin{{{name}}}{columns}\n{body}\n\\end{{{name}}}"
    for text in (
        formula,
        f"so\n{formula}\nthus",
        f"- a\n\n  {formula.replace('\n', '\n  ')}",
        f"> {formula.replace('\n', '\n> ')}",
    ):
        html = render(text)
        check(html)
        assert '<div class="math" tabindex="0"><math display="block">' in html
        assert "begin" not in html
        assert fed(text) == html
    assert "\\begin" in render(f"`{formula}`")
    assert "\\begin" in render(f"```\n{formula}\n```")


@pytest.mark.parametrize(
    "text", ["\\begin{itemize}\n\\item a\n\\end{itemize}", "\\begin{align} a", "\\begin{align}\n\na\n\n\\end{align}"]
)
def test_other_environments_are_text(text: str) -> None:
    assert "<math" not in render(text)


def test_an_environment_is_a_formula_while_it_is_written() -> None:
    stream = BlockStream()
    for character in "\\begin{align}\na &= b \\\\\nc &= \\frac{d}{e}\n\\end{align}":
        stream.append(character)
        html = stream.take().open
        check(html)
        assert "\\" not in html
        assert "begin" not in html


def test_what_is_cancelled_is_marked() -> None:
    for command, notation in [
        ("cancel", "updiagonalstrike"),
        ("bcancel", "downdiagonalstrike"),
        ("xcancel", "updiagonalstrike downdiagonalstrike"),
    ]:
        assert f'<menclose notation="{notation}">' in render(f"$\\{command}{{x}}$")
    assert '<menclose notation="box">' in render("$\\boxed{x}$")
    assert "<msup><menclose" in render("$\\cancelto{0}{x}$")


@pytest.mark.parametrize(
    ("chemical", "latex"),
    [
        ("H2O", r"{\mathrm{H}_{2}\mathrm{O}}"),
        ("SO4^2-", r"{\mathrm{SO}_{4}^{2-}}"),
        ("Fe^{3+}", r"{\mathrm{Fe}^{3+}}"),
        ("Na+", r"{\mathrm{Na}^{+}}"),
        ("Ca(OH)2", r"{\mathrm{Ca}(\mathrm{OH})_{2}}"),
        ("[Cu(NH3)4]^2+", r"{[\mathrm{Cu}(\mathrm{NH}_{3})_{4}]^{2+}}"),
        ("^{227}_{90}Th+", r"{{}^{227}_{90}\mathrm{Th}^{+}}"),
        ("CuSO4 * 5H2O", r"{\mathrm{CuSO}_{4} \cdot  5\,\mathrm{H}_{2}\mathrm{O}}"),
        ("CH3-CH=CH2", r"{\mathrm{CH}_{3}{-}\mathrm{CH}{=}\mathrm{CH}_{2}}"),
        ("1/2O2", r"{\tfrac{1}{2}\,\mathrm{O}_{2}}"),
        ("2H2 -> 2H2O (l)", r"{2\,\mathrm{H}_{2} \rightarrow  2\,\mathrm{H}_{2}\mathrm{O} (\mathrm{l})}"),
        ("A <=> B", r"{\mathrm{A} \rightleftharpoons  \mathrm{B}}"),
        ("A ->[\\Delta][b] C ^", r"{\mathrm{A} \xrightarrow[\mathrm{b}]{\Delta}  \mathrm{C} \uparrow }"),
        ("AgCl v", r"{\mathrm{AgCl} \downarrow }"),
    ],
)
def test_chemical_formulas_are_written_out(chemical: str, latex: str) -> None:
    expected = render(f"${latex}$").removeprefix("<p>").removesuffix("</p>\n")
    assert expected.startswith("<math>")
    for text in (f"$\\ce{{{chemical}}}$", f"\\(\\ce{{{chemical}}}\\)", f"\\ce{{{chemical}}}"):
        assert expected in render(text)
        check(render(text))
        assert fed(text) == render(text)
    assert "<math" not in render(f"`\\ce{{{chemical}}}`")
