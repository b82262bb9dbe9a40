"""HTML for tests: elements, found with a subset of CSS selectors."""

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from itertools import accumulate
from typing import Self

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
FOREIGN = {"svg", "math"}
"""Tags within which `<x/>` is an element without content."""

TOKEN = re.compile(
    r"""
    (?P<comma>\s*,\s*) | (?P<space>\s+)
    | (?P<tag>\*|[a-z][\w-]*) | \#(?P<id>[\w-]+) | \.(?P<kind>[\w-]+)
    | \[(?P<name>[\w-]+) (?:(?P<how>[*^$]?=)"(?P<value>[^"]*)")? \]
    """,
    re.VERBOSE,
)
"""Regular expression of a selector's parts."""

Compound = list[re.Match[str]]
"""The parts of a selector that describe one element."""


class Element:
    """An element with attributes and children; `read` returns a nameless one that contains all others."""

    def __init__(self, tag: str, attributes: dict[str, str], parent: Self | None) -> None:
        self.tag = tag
        self.attributes = attributes
        self.parent = parent
        self.children: list[Self | str] = []
        self.inner = ""
        """HTML between its tags, as it was written."""

        self.outer = ""
        """HTML of the element including its tags."""

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    def __contains__(self, name: str) -> bool:
        return name in self.attributes

    def __iter__(self) -> Iterator[Self]:
        """All elements within it, in the order of their start tags."""
        for child in self.children:
            if not isinstance(child, str):
                yield child
                yield from child

    def all(self, selector: str) -> list[Self]:
        """The elements within it that match a selector: `a.button[href^="/c/"]`, `#results li`, `h1, h2`."""
        return [element for element in self if element.is_one(selector)]

    def one(self, selector: str) -> Self:
        """The only element that matches. Fails when there is none, or more than one."""
        found = self.all(selector)
        assert len(found) == 1, f"{len(found)} of {selector}"
        return found[0]

    def is_one(self, selector: str) -> bool:
        """Whether the element matches the selector."""
        return any(self._ends(compounds) for compounds in _alternatives(selector))

    def _ends(self, compounds: list[Compound]) -> bool:
        *above, own = compounds
        if not self._is(own):
            return False
        around = self.parent
        for compound in reversed(above):
            while around is not None and not around._is(compound):
                around = around.parent
            if around is None:
                return False
            around = around.parent
        return True

    def _is(self, compound: Compound) -> bool:
        return all(self._has(simple) for simple in compound)

    def _has(self, simple: re.Match[str]) -> bool:
        if tag := simple["tag"]:
            return tag in ("*", self.tag)
        if simple["id"]:
            return self.attributes.get("id") == simple["id"]
        if simple["kind"]:
            return simple["kind"] in self.attributes.get("class", "").split()
        if (value := self.attributes.get(simple["name"])) is None:
            return False
        sought = simple["value"] or ""
        match simple["how"]:
            case "=":
                return value == sought
            case "^=":
                return value.startswith(sought)
            case "$=":
                return value.endswith(sought)
            case _:
                return sought in value

    def text(self, *, without: str = "") -> str:
        """All text within it as written, without that of elements that match `without`."""
        return "".join(self._texts(without))

    @property
    def words(self) -> str:
        """The text within it, with single spaces between words and between pieces separated by tags."""
        return " ".join(" ".join(self._texts("")).split())

    def _texts(self, without: str) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            elif not (without and child.is_one(without)):
                yield from child._texts(without)


@cache
def _alternatives(selector: str) -> list[list[Compound]]:
    """For each selector in a list: its parts, from the outermost element to the matching one."""
    alternatives: list[list[Compound]] = [[[]]]
    end = 0
    for token in TOKEN.finditer(selector):
        assert token.start() == end, f"{selector!r} is no selector"
        end = token.end()
        if token["comma"]:
            alternatives.append([[]])
        elif token["space"]:
            alternatives[-1].append([])
        else:
            alternatives[-1][-1].append(token)
    assert end == len(selector), f"{selector!r} is no selector"
    assert all(all(compounds) for compounds in alternatives), f"{selector!r} is no selector"
    return alternatives


class Reader(HTMLParser):
    """Builds elements from HTML; fails where tags are not properly nested."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.root = self.open = Element("", {}, None)
        self._begins: list[tuple[int, int]] = []
        """For each open element: offsets of its start and of its content."""

        self._html = html
        self._lines = list(accumulate((len(line) + 1 for line in html.split("\n")), initial=0))
        self.feed(html)
        self.close()
        assert self.open is self.root, f"<{self.open.tag}> has no end"
        self.root.inner = self.root.outer = html

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._start(tag, attrs)
        if tag in VOID:
            self._end(self._begins[-1][1], self._begins[-1][1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._start(tag, attrs)
        if tag in VOID or self._is_foreign():
            self._end(self._begins[-1][1], self._begins[-1][1])

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.tag, f"</{tag}> ends <{self.open.tag}>"
        end = self._here()
        self._end(end, self._html.index(">", end) + 1)

    def handle_data(self, data: str) -> None:
        self.open.children.append(data)

    def _start(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self.open)
        self.open.children.append(element)
        self.open = element
        begin = self._here()
        self._begins.append((begin, begin + len(self.get_starttag_text() or "")))

    def _end(self, content_end: int, end: int) -> None:
        begin, content = self._begins.pop()
        self.open.inner, self.open.outer = self._html[content:content_end], self._html[begin:end]
        assert self.open.parent is not None
        self.open = self.open.parent

    def _is_foreign(self) -> bool:
        element: Element | None = self.open
        while element is not None and element.tag not in FOREIGN:
            element = element.parent
        return element is not None

    def _here(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column


def read(html: str) -> Element:
    """The elements of a page or a part of one. Fails where tags are not properly nested."""
    return Reader(html).root
