"""The parser's HTML made the page's own: safe links, figures, tables that scroll, formulas, and nothing else.

`finished` is the only way out, and the sanitiser is its last step. It is a second wall: the parser never sees raw HTML,
so what the sanitiser would remove is not expected to be there.
"""

import re
from html import escape, unescape

import nh3

from conversations import math
from conversations.markdown_source import AMPERSAND, COLON, CUT, FORMULA, LESS, STOP, Formula, Source

MATH_TAGS = """
    math menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt mstyle msub
    msubsup msup mtable mtd mtext mtr munder munderover
"""
MATH_ATTRIBUTES = """
    accent accentunder columnspan depth displaystyle fence form height largeop linethickness lspace mathvariant maxsize
    minsize movablelimits notation rowspan rspace scriptlevel separator stretchy symmetric voffset width
"""
TAGS = """
    a blockquote br button code del div em figcaption figure h2 h3 h4 h5 h6 hr input li ol p pre span strong table tbody
    td th thead tr ul
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
    },
    allowed_classes={
        "button": {"quiet"},
        "div": {"math", "table"},
        "figure": {"code"},
        "mtd": {"left", "right"},
        "span": set("cdfikms"),
        "td": {"center", "left", "right"},
        "th": {"center", "left", "right"},
    },
    set_tag_attribute_values={"a": {"target": "_blank"}},
    link_rel="noopener noreferrer nofollow",
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
)

HEADING = re.compile(r"<(/?)h([1-6])>")
HEADING_MAX = 6
ALIGNMENT = re.compile(r' style="text-align: (left|center|right)"')
CHECKBOX = re.compile(r'<input disabled="" type="checkbox"( checked="")?/>')
SAFE = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
HIDDEN = re.compile(r"%EF%B7%9([0-6])")
REVEALED = {"0": "%3C", "1": ":", "2": "&amp;"}
TOKEN = re.compile(
    rf"""<figure.class="code">.*?</figure>
    | <(?P<tag>/?\w+)(?P<attributes>[^>]*)>
    | {FORMULA}(?P<formula>[0-9]+)\ufdd4
    | (?P<url>\bhttps?://[\w-]+(?:\.[\w-]+)*(?::\d{{1,5}})?(?:[/?\#](?:[^\s<>&"`\ufdd0-\ufdef]|&amp;)*)?)""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
EMPTY_PARAGRAPH = re.compile(r"<p>\s*</p>")
VOID = frozenset({"br", "hr", "img", "input"})
IMAGE = "image"


def finished(html: str, source: Source, outline: list[int] | None = None) -> str:
    """Safe HTML from the parser's HTML of `source`; `outline` has the written levels of the headings it stands under,
    and afterwards those that what follows stands under.
    """
    if "<h" in html:
        html = _headings(html, [] if outline is None else outline)
    if "<table>" in html:
        html = html.replace("<table>", '<div class="table" tabindex="0" role="region" aria-label="Table"><table>')
        html = ALIGNMENT.sub(r' class="\1"', html.replace("</table>", "</table></div>"))
    if "<input" in html:
        html = CHECKBOX.sub(_checkbox, html)
    if "<a " in html or "<img " in html or "://" in html or FORMULA in html:
        html = _Rewriter(source).rewrite(html)
    html = html.replace(LESS, "&lt;").replace(COLON, ":").replace(AMPERSAND, "&amp;").replace(STOP, "").replace(CUT, "")
    return CLEANER.clean(html)


def formula_html(formula: Formula) -> str:
    """The formula as MathML; its source when it is malformed; as far as it goes while it is half written."""
    if formula.half:
        return math.half(formula.latex, display=formula.display)
    return math.mathml(formula.latex, display=formula.display) or f"<code>{escape(formula.source, quote=False)}</code>"


def _headings(html: str, outline: list[int]) -> str:
    """Headings by their depth, from h2 on, as the page has the only h1: models begin with any level and skip some."""

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
    """One walk over the parser's tags: links, images, bare addresses and formulas, each where it may stand."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._inside: list[str] = []
        self._links: list[bool] = []
        self._changes_paragraphs = False

    def rewrite(self, html: str) -> str:
        html = TOKEN.sub(self._token, html)
        return EMPTY_PARAGRAPH.sub("", html) if self._changes_paragraphs else html

    def _token(self, match: re.Match[str]) -> str:
        if match["tag"]:
            return self._tag(match["tag"], match["attributes"], match[0])
        if match["formula"]:
            return self._formula(match["formula"])
        if match["url"] and not self._links and "code" not in self._inside:
            return _address(match["url"])
        return match[0]

    def _tag(self, tag: str, attributes: str, written: str) -> str:
        if tag == "a":
            return self._open_link(attributes)
        if tag == "/a":
            return "</a>" if self._links and self._links.pop() else ""
        if tag == "img":
            return self._image(attributes)
        if tag[0] == "/":
            if self._inside:
                self._inside.pop()
        elif tag not in VOID:
            self._inside.append(tag)
        return written

    def _open_link(self, attributes: str) -> str:
        values = self._values(attributes)
        allowed = bool(SAFE.match(values.get("href", "")))
        self._links.append(allowed)
        return _link(values["href"], values.get("title", "")) if allowed else ""

    def _image(self, attributes: str) -> str:
        """A link with the picture's description: nothing is loaded from elsewhere."""
        values = self._values(attributes)
        words = values.get("alt", "").strip() or IMAGE
        href = values.get("src", "")
        if self._links or not SAFE.match(href):
            return words
        return f"{_link(href, values.get('title', ''))}{words}</a>"

    def _values(self, attributes: str) -> dict[str, str]:
        """Attributes, still escaped, with the text that was written in place of marks."""
        values = {name: self._written(value) for name, value in ATTRIBUTE.findall(attributes)}
        for name in values.keys() & {"href", "src"}:
            values[name] = HIDDEN.sub(lambda match: REVEALED.get(match[1], ""), values[name])
        return values

    def _written(self, text: str) -> str:
        if not any(mark in text for mark in (FORMULA, LESS, COLON, AMPERSAND, STOP)):
            return text
        return escape(self._source.restored(unescape(text)))

    def _formula(self, number: str) -> str:
        formula = self._source.formula(number)
        if formula is None:
            return ""
        if "code" in self._inside:
            return escape(formula.source, quote=False)
        html = formula_html(formula)
        parent = self._inside[-1] if self._inside else ""
        if not formula.display or self._links or not html.startswith("<math") or parent not in ("p", "li"):
            return html
        block = f'<div class="math" tabindex="0">{html}</div>'
        if parent == "li":
            return block
        self._changes_paragraphs = True
        return f"</p>{block}<p>"


def _link(href: str, title: str) -> str:
    return f'<a href="{href}" title="{title}">' if title else f'<a href="{href}">'


def _address(url: str) -> str:
    """A bare address as a link, without the punctuation that ends its sentence."""
    end = len(url)
    closing = url.count(")") - url.count("(")
    while end:
        if url[end - 1] == ")" and closing > 0:
            closing -= 1
        elif url[end - 1] not in "?!.,:;*_~'\"]}" or url.endswith("&amp;", 0, end):
            break
        end -= 1
    return f"{_link(url[:end], '')}{url[:end]}</a>{url[end:]}"
