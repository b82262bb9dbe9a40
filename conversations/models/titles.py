"""Titles made of a message's first words, without Markdown's signs, cut between words."""

import re
from collections.abc import Iterator

import pyromark
import regex
from pyromark.event import Event

from conversations.markdown.source import STOP, clean, emphasised

TITLE_MAX_CHARS = 80
LOOKED_AT = 2_000
"""Characters of a message from which a title is made."""

OPTIONS = pyromark.Options.ENABLE_TABLES | pyromark.Options.ENABLE_STRIKETHROUGH | pyromark.Options.ENABLE_TASKLISTS
CLUSTER = regex.compile(r"\X")
# Signs of Markdown that are literal in people's questions: underscores in names, products, numbered lines.
LITERAL = re.compile(
    r"_|(?<=[0-9A-Za-z])\*(?=[0-9A-Za-z])|(?<=[0-9])\*\*(?=[0-9])|^[ \t]*[0-9]{1,9}(?=[.)][ \t])", re.MULTILINE
)
SIGN = re.compile(r"[]\\`*_~[<>#&|=+!-]")
"""A text without any of these characters has no Markdown signs."""
KEPT = {"_": "\ufdd0", "*": "\ufdd1"}


def title_from(text: str) -> str:
    """A title of at most 80 characters made of a message's first words, cut between two words where possible."""
    words = " ".join(unsigned(text[:LOOKED_AT]).split()) or " ".join(text.split())
    if len(words) <= TITLE_MAX_CHARS:
        return words
    cut = shortened(words, TITLE_MAX_CHARS - 1)
    at_word, _, _ = cut.rpartition(" ")
    return (at_word or cut).rstrip(" ,;:-") + "…"


def shortened(text: str, size: int) -> str:
    """The first `size` characters of the text at most, ending with a whole grapheme."""
    end = 0
    for cluster in CLUSTER.finditer(text[: size + LOOKED_AT]):
        if cluster.end() > size:
            break
        end = cluster.end()
    return text[: end or size]


def unsigned(text: str) -> str:
    """The text without the signs of Markdown."""
    if not SIGN.search(text):
        return clean(text)
    kept = LITERAL.sub(_kept, clean(text))
    events = pyromark.events(emphasised(kept), options=OPTIONS)
    words = "".join(_pieces(events)).replace(STOP, "")
    for sign, mark in KEPT.items():
        words = words.replace(mark, sign)
    return words


def _kept(match: re.Match[str]) -> str:
    return f"{match[0]}\\" if match[0][-1].isdigit() else "".join(KEPT[sign] for sign in match[0])


def _pieces(events: Iterator[Event]) -> Iterator[str]:
    for event in events:
        if event in ("SoftBreak", "HardBreak"):
            yield " "
        elif isinstance(event, dict):
            for kind, value in event.items():
                if kind in ("Text", "Code", "Html", "InlineHtml"):
                    yield str(value)
                elif kind == "End" and value not in ("Emphasis", "Strong", "Strikethrough", "Link", "Image"):
                    yield " "
