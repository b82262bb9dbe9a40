"""The parser's HTML turned into the page's: safe links, figures, scrolling tables, formulas, nothing else.

`finished` is the only entry point; only the direction of blocks and the links to footnotes are added after its
sanitiser. The sanitiser is a second barrier: the parser never sees raw HTML, so it should have nothing to remove.
"""

import re
from collections.abc import Sequence
from html import escape, unescape
from urllib.parse import quote

import nh3

from conversations.markdown import links, math
from conversations.markdown.budget import FORMULAS_MAX
from conversations.markdown.direction import directed
from conversations.markdown.source import (
    AMPERSAND,
    BLOCK,
    BLOCK_END,
    CUT,
    FIGURE,
    INLINE,
    INLINE_END,
    LESS,
    STOP,
    Formula,
    Source,
)

NOTE_SCHEME = "footnote"
"""Scheme that stands for the page's own address until the sanitiser, which removes links into the page, is done."""

MATH_TAGS = """
    math menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt mstyle msub
    msubsup msup mtable mtd mtext mtr munder munderover
"""
MATH_ATTRIBUTES = """
    accent accentunder columnspan depth displaystyle fence form height largeop linethickness lspace mathvariant maxsize
    minsize movablelimits notation rowspan rspace scriptlevel separator stretchy symmetric voffset width
"""
TAGS = """
    a blockquote br button code del details div em figcaption figure h2 h3 h4 h5 h6 hr input kbd li ol p pre span strong
    sub summary sup table tbody td th thead tr ul
"""
CLEANER = nh3.Cleaner(
    tags={*TAGS.split(), *MATH_TAGS.split()},
    attributes={
        **dict.fromkeys(MATH_TAGS.split(), {*MATH_ATTRIBUTES.split()}),
        "a": {"href", "title"},
        "button": {"data-copy"},
        "div": {"aria-label"},
        "input": {"aria-label", "checked", "disabled"},
        "ol": {"start"},
    },
    tag_attribute_values={
        "button": {"type": {"button"}},
        "div": {"role": {"region"}, "tabindex": {"0"}},
        "input": {"type": {"checkbox"}},
        "math": {"display": {"block"}},
        "pre": {"tabindex": {"0"}},
        "span": {"tabindex": {"0"}},
    },
    allowed_classes={
        "button": {"quiet"},
        "div": {"math", "table"},
        "figure": {"code"},
        "mtd": {"left", "right"},
        "span": {"math", *"cdfikms"},
        "td": {"center", "left", "right"},
        "th": {"center", "left", "right"},
    },
    set_tag_attribute_values={"a": {"target": "_blank"}},
    link_rel="noopener noreferrer nofollow",
    url_schemes=links.SCHEMES | {NOTE_SCHEME},
    url_relative="deny",
)

HEADING = re.compile(r"<(/?)h([1-6])>")
HEADING_MAX = 6
ALIGNMENT = re.compile(r' style="text-align: (left|center|right)"')
CHECKBOX = re.compile(r'<input disabled="" type="checkbox"( checked="")?/>')
ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
# The marks of `source` as the parser writes them within an address.
HIDDEN = re.compile(r"%EF%B7%93([0-9]+)%EF%B7%94|%EF%B7%98([0-9]+)%EF%B7%9[49]|%EF%B7%9([0-9])")
REVEALED = {"0": "%3C", "2": "&amp;"}
URL_SAFE = "!#$%&'()*+,/:;=?@[]~"
NOTE = re.compile(r'(<a href="%EF%B7%97[0-9]+">)\^')
NOTE_TARGET = re.compile(r' href="%EF%B7%97([0-9]+)"')
NOTE_LINK = re.compile(rf'<a href="{NOTE_SCHEME}:([0-9]+)" target="_blank" rel="[a-z ]*">')
QUOTED_BREAK = re.compile(r'="[^"\n]*\n[^"]*"')
# A line feed of the text, not one between elements.
SOFT_BREAK = re.compile(
    rf"""\n(?:(?<=[^>{BLOCK_END}{FIGURE}]\n)|(?<=</a>\n)|(?<=</em>\n)|(?<=</del>\n)|(?<=</code>\n)|(?<=</strong>\n)
    |(?<="\ />\n))(?=[^<\n{BLOCK}{FIGURE}]|<(?:a|em|del|code|strong|img)\b)""",
    re.VERBOSE,
)
MARK = rf"""
    <(?P<tag>/?\w+)(?P<attributes>[^>]*)>
    | [{INLINE}{BLOCK}](?P<mark>[0-9]+)[{INLINE_END}{BLOCK_END}]"""
ADDRESS = rf"{MARK} | (?P<url>{links.URL})"
MARKS = re.compile(MARK, re.VERBOSE)
ADDRESSES = re.compile(ADDRESS, re.IGNORECASE | re.VERBOSE)
ALL_ADDRESSES = re.compile(rf"{ADDRESS} | (?P<mail>{links.MAIL})", re.IGNORECASE | re.VERBOSE)
FIGURE_MARK = re.compile(f"{FIGURE}([0-9]+){FIGURE}")
EMPTY_PARAGRAPH = re.compile(r"<p>(?:\s|<br>)*</p>")
TAGS_OF_MATH = re.compile(r"<[^>]*>")
SPACE_OF_MATH = re.compile(r'<mspace[^>]* width="(\d+(?:\.\d+)?)em"')
WIDE = 26
"""Characters of a formula that fill about three quarters of a phone's line; an em of space counts as two."""

VOID = frozenset({"br", "hr", "img", "input"})
IMAGE = "image"


def finished(
    html: str, source: Source, outline: list[int] | None = None, *, figures: Sequence[str] = (), anchor: str = ""
) -> str:
    """Safe HTML from the parser's HTML of `source`; `figures` replace their marks.

    `outline` holds the levels, as written, of the headings above the block, and is updated for the block that follows;
    `anchor` is the prefix of its footnotes' ids.
    """
    if "<h" in html:
        html = _headings(html, [] if outline is None else outline)
    if "<table>" in html:
        html = html.replace("<table>", '<div class="table" tabindex="0" role="region" aria-label="Table"><table>')
        html = ALIGNMENT.sub(r' class="\1"', html.replace("</table>", "</table></div>"))
    if "<input" in html:
        html = CHECKBOX.sub(_checkbox, html)
    if "\n" in html[:-1]:
        if ' title="' in html:
            html = QUOTED_BREAK.sub(lambda match: match[0].replace("\n", " "), html)
        html = SOFT_BREAK.sub("<br>\n", html)
    if "<a " in html or "<img " in html or INLINE in html or BLOCK in html or "@" in html or _has_address(html):
        html = _Rewriter(source).rewrite(html)
    html = html.replace(LESS, "&lt;").replace(AMPERSAND, "&amp;").replace(STOP, "").replace(CUT, "")
    if figures:
        html = FIGURE_MARK.sub(lambda match: figures[int(match[1])], html)
    html = directed(CLEANER.clean(html))
    return NOTE_LINK.sub(rf'<a href="#{anchor}\1">', html) if NOTE_SCHEME in html else html


def _has_address(html: str) -> bool:
    return "://" in html or "www." in html.lower()


def _is_wide(html: str) -> bool:
    """Whether an inline formula may be wider than a phone: it then gets a scrolling box of its own."""
    if len(html) < WIDE:
        return False
    return len(TAGS_OF_MATH.sub("", html)) + 2 * sum(map(float, SPACE_OF_MATH.findall(html))) > WIDE


def formula_html(formula: Formula) -> str:
    """The formula as MathML; its source when malformed; as much of it as is valid while it is half written."""
    if formula.half:
        return math.half(formula.latex, display=formula.display)
    return math.mathml(formula.latex, display=formula.display) or formula_source(formula)


def formula_source(formula: Formula) -> str:
    """HTML of a formula's source, as it was written."""
    return f"<code>{escape(formula.written, quote=False)}</code>"


def _headings(html: str, outline: list[int]) -> str:
    """Set heading levels by depth, from h2 as the page has the only h1: models start anywhere and skip levels."""

    def tag(match: re.Match[str]) -> str:
        if not match[1]:
            level = int(match[2])
            while outline and outline[-1] >= level:
                outline.pop()
            outline.append(level)
        return f"<{match[1]}h{min(len(outline) + 1, HEADING_MAX)}>"

    return HEADING.sub(tag, html)


def _checkbox(match: re.Match[str]) -> str:
    state = ' checked aria-label="Done"' if match[1] else ' aria-label="To do"'
    return f'<input type="checkbox" disabled{state}>'


class _Rewriter:
    """One pass over the parser's tags that rewrites links, images, bare addresses, formulas and allowed tags."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._html = ""
        self._inside: list[str] = []
        self._links: list[tuple[str, int]] = []
        self._changes_paragraphs = False
        self._is_title = False
        self._converted = 0

    def rewrite(self, html: str) -> str:
        self._html = html = NOTE.sub(r"\1", html)
        token = ALL_ADDRESSES if "@" in html else ADDRESSES if _has_address(html) else MARKS
        html = token.sub(self._token, self._html)
        return EMPTY_PARAGRAPH.sub("", html) if self._changes_paragraphs else html

    def _token(self, match: re.Match[str]) -> str:
        if match["tag"]:
            return self._tag(match["tag"], match["attributes"], match)
        if match["mark"]:
            return self._mark(match["mark"])
        if self._links or "code" in self._inside:
            return match[0]
        return links.address(match[0]) if match["url"] else links.mail(match[0])

    def _tag(self, tag: str, attributes: str, match: re.Match[str]) -> str:
        if tag == "a":
            return self._open_link(attributes, match.end())
        if tag == "/a":
            return self._close_link(match.start())
        if tag == "img":
            return self._image(attributes)
        if tag == "/p" and self._is_title:
            self._is_title = False
            self._inside.pop()
            return "</summary>"
        if tag[0] == "/":
            if self._inside:
                self._inside.pop()
        elif tag not in VOID:
            self._inside.append(tag)
        return match[0]

    def _open_link(self, attributes: str, at: int) -> str:
        if note := NOTE_TARGET.match(attributes):
            self._links.append(("", at))
            return f"<sup>{links.link(f'{NOTE_SCHEME}:{note[1]}')}"
        values = self._values(attributes)
        href = values.get("href", "")
        self._links.append((href, at))
        return links.link(href, values.get("title", "")) if links.may_be_followed(href) else ""

    def _close_link(self, at: int) -> str:
        if not self._links:
            return ""
        href, start = self._links.pop()
        if not href:
            return "</a></sup>"
        words = self._html[start:at]
        if links.may_be_followed(href):
            return f"</a>{links.leads_to(href, words)}"
        return links.readable(href, words)

    def _image(self, attributes: str) -> str:
        """A link with the picture's description: the page loads nothing from other sites."""
        values = self._values(attributes)
        words = values.get("alt", "").strip() or IMAGE
        href = values.get("src", "")
        if self._links:
            return words
        if not links.may_be_followed(href):
            return f"{words}{links.readable(href, words)}"
        return f"{links.link(href, values.get('title', ''))}{words}</a>{links.leads_to(href, words)}"

    def _values(self, attributes: str) -> dict[str, str]:
        """Attributes, still escaped, with marks replaced by the text that they stand for."""
        values = {name: self._written(value) for name, value in ATTRIBUTE.findall(attributes)}
        for name in values.keys() & {"href", "src"}:
            values[name] = links.target(HIDDEN.sub(self._revealed, values[name]))
        return values

    def _revealed(self, match: re.Match[str]) -> str:
        if number := match[1] or match[2]:
            return escape(quote(self._source.target(number), safe=URL_SAFE))
        return REVEALED.get(match[3], "")

    def _written(self, text: str) -> str:
        if not any(mark in text for mark in (INLINE, BLOCK, LESS, AMPERSAND, STOP)):
            return text
        return escape(self._source.restored(unescape(text)))

    def _mark(self, number: str) -> str:
        mark = self._source.mark(number)
        if mark is None:
            return ""
        if "code" in self._inside:
            return escape(mark.written, quote=False)
        if isinstance(mark, Formula):
            return self._formula(mark)
        if mark.place == "apart":
            return self._between_paragraphs(mark.html)
        self._changes_paragraphs = self._changes_paragraphs or not mark.html
        return mark.html

    def _formula(self, formula: Formula) -> str:
        self._converted += len(formula.latex)
        if self._converted > FORMULAS_MAX:
            return formula_source(formula)
        html = formula_html(formula)
        if self._links or not html.startswith("<math"):
            return html
        if not formula.display:
            return f'<span class="math" tabindex="0">{html}</span>' if _is_wide(html) else html
        block = f'<div class="math" tabindex="0">{html}</div>'
        if self._inside[-1:] == ["p"] or self._inside[-1:] == ["li"]:
            return self._between_paragraphs(block)
        return html

    def _between_paragraphs(self, html: str) -> str:
        if self._inside[-1:] != ["p"]:
            return html
        self._changes_paragraphs = True
        if html == "<summary>":
            # The title is a line of its own: the end of its paragraph ends it.
            self._is_title = True
            return f"</p>{html}"
        before = "" if self._is_title else "</p>"
        self._is_title = False
        return f"{before}{html}<p>"
