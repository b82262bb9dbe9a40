"""What a page shows of a reply, followed event by event, and how HTML is looked into."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape
from typing import Self

import aiohttp

from tests.faults.speech import Speech
from tests.support.viewer import parsed, with_end

REPLY = re.compile(r'<article class="message assistant"\s+id="m-([0-9a-f-]{36})"')
ARTICLE = '<article class="message assistant"\\s+id="m-{}".*?</article>'
BODY = re.compile(r'<div class="body">(.*?)</div>\s*(?:<form class="outcome"|<div class="actions")', re.DOTALL)
REST = re.compile(r'<div class="rest"[^>]*>\s*(.*?)\s*<p>\s*<a class="button"\s+href="([^"]*)".*</div>\s*\Z', re.DOTALL)
OPEN_BLOCK = re.compile(r'<div class="open"[^>]*>(.*)</div>', re.DOTALL)


class Screen:
    """What one viewer sees of a reply."""

    def __init__(self, speech: Speech, *, had: str = "") -> None:
        """`had` is text that the reply has had from the beginning."""
        self.end = ""
        """The final fragment, once it has come."""

        self.connections = 0
        self._expected, self._had = visible(speech.text), visible(had)
        self._blocks = self._tail = self._sent_tail = ""

    @property
    def text(self) -> str:
        """The reply's text without white space and markup, before the end."""
        return visible_text(self._blocks + self._tail)

    def show(self, name: str, data: str) -> None:
        """Do what the page does with an event. What is shown must always be the beginning of the whole."""
        match name:
            case "reply":
                tail = OPEN_BLOCK.search(data)
                self._tail = tail[1] if tail else ""
                self._blocks = data[: tail.start()] if tail else data
            case "blocks":
                self._blocks += data
            case "tail":
                self._tail = self._sent_tail = data
            case "tail-end":
                self._tail = self._sent_tail = with_end(self._sent_tail, data)
            case "end":
                self.end = data
        # The finished blocks and what is left of the open one come one right after the other.
        if name != "blocks" and not self._expected.startswith(self.text):
            raise AssertionError(f"the page showed {self.text[-60:]!r}, which is not how the reply begins")
        if not (self.end or self.text.startswith(self._had)):
            raise AssertionError(f"the page showed {self.text[-60:]!r}, which is less than the reply has had")


async def events(content: aiohttp.StreamReader) -> AsyncIterator[tuple[str, str]]:
    """Name and data of each server-sent event."""
    rest = b""
    async for piece in content.iter_any():
        *blocks, rest = (rest + piece).split(b"\n\n")
        for block in blocks:
            for event in parsed([*block.decode().split("\n"), ""]):
                yield event


def article(html: str, reply: str) -> str:
    """The reply's element in a page or a fragment; empty when it is not there."""
    found = re.search(ARTICLE.format(reply), html, re.DOTALL)
    return found[0] if found else ""


def body(article_html: str) -> str:
    """The inside of a finished reply's text."""
    found = BODY.search(article_html)
    assert found, "this is no finished reply"
    return found[1]


@dataclass(frozen=True, slots=True)
class Said:
    """What a page shows of a text: all of it, or its beginning and where one can ask for more."""

    formatted: str
    plain: str = ""
    further: str = ""
    """The address of what follows the formatted part; empty when nothing does."""

    @classmethod
    def in_html(cls, html: str) -> Self:
        """What the inside of a finished reply's text shows, or that of a part of it."""
        if not (rest := REST.search(html)):
            return cls(html)
        return cls(html[: rest.start()], rest[1], unescape(rest[2]))


def visible_text(html: str) -> str:
    """What a reader sees of some HTML, without white space."""
    without_reasoning = re.sub(r"<details.*?</details>", "", html, flags=re.DOTALL)
    return visible(unescape(re.sub(r"<[^>]*>", "", without_reasoning)))


def visible(text: str) -> str:
    """The text without white space."""
    return "".join(text.split())
