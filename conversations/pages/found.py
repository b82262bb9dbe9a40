"""Search results as the page shows them: a passage with the hits marked, and a link."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.models import User
from conversations.search.searching import HITS_MAX, Found, Hit, needle, search, terms_of

PASSAGE_BEFORE, PASSAGE_AFTER = 60, 180
"""Characters that are shown before the first hit, and after it."""
SIGNS = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*|(?<!`)`([^`\n]+)`(?!`)|^#{1,6} (.*)|^```\w*$", re.MULTILINE)
"""Signs of Markdown that only affect how text looks."""

SPACES = str.maketrans("\n\r\t", "   ")


@dataclass(frozen=True, slots=True)
class Result:
    """One hit in the list of results."""

    url: str
    title: SafeString
    passage: SafeString
    time: datetime
    is_archived: bool
    who: str


def search_context(user: User, query: str) -> dict[str, Any]:
    """Context of the results of a search. Causes queries, unless the query is empty."""
    found = search(user, query)
    return {
        "query": query,
        "is_asked": bool(terms_of(query)),
        "results": [result(hit, found) for hit in (*found.titles, *found.messages)],
        "is_full": found.is_full,
        "hits_max": HITS_MAX,
    }


def result(hit: Hit, found: Found) -> Result:
    """The hit as the page shows it."""
    url = reverse("conversation-detail", args=(hit.conversation_id,))
    if hit.message_id is None:
        title = marked(hit.title, found.terms)
        return Result(url, title, SafeString(), hit.time, hit.is_archived, "")
    passage = passage_of(hit, found.terms)
    who = "You" if hit.role == "user" else f"Assistant{hit.where}"
    url = f"{url}?at={hit.message_id}#m-{hit.message_id}"
    return Result(url, format_html("{}", hit.title), passage, hit.time, hit.is_archived, who)


def passage_of(hit: Hit, terms: Sequence[str]) -> SafeString:
    """HTML of the text around the first hit in the message, without the signs of Markdown."""
    plain = SIGNS.sub(lambda match: match[match.lastindex] if match.lastindex else "", hit.excerpt)
    excerpt = plain if spans_of(plain, terms) else hit.excerpt
    return marked(excerpt, terms, is_cut=hit.is_cut, is_passage=True)


def marked(text: str, terms: Sequence[str], *, is_cut: bool = False, is_passage: bool = False) -> SafeString:
    """The text as HTML with each term in `<mark>`; as a passage, only the part around the first one."""
    spans = spans_of(text, terms)
    start, end = 0, len(text)
    if is_passage:
        first = spans[0][0] if spans else 0
        start, end = max(0, first - PASSAGE_BEFORE), min(len(text), first + PASSAGE_AFTER)
        spans = [(begin, min(stop, end)) for begin, stop in spans if begin < end]
    parts: list[tuple[str, SafeString]] = []
    at = start
    for begin, stop in spans:
        parts.append((text[at:begin], format_html("<mark>{}</mark>", text[begin:stop])))
        at = stop
    before = "…" if is_passage and (start or is_cut) else ""
    after = "…" if is_passage and end < len(text) else ""
    return format_html("{}{}{}{}", before, format_html_join("", "{}{}", parts), text[at:end], after)


def spans_of(text: str, terms: Sequence[str]) -> list[tuple[int, int]]:
    """Start and end of each term in a text, in order; adjacent ones are joined."""
    letters, places = folded(text)
    found: list[tuple[int, int]] = []
    for sought in map(needle, terms):
        # Short words are searched with the space before them, which is not part of the hit.
        lead = len(sought) - len(sought.lstrip())
        at = letters.find(sought)
        while at >= 0:
            last = at + len(sought) - 1
            found.append((places[at + lead], places[last] + 1))
            at = letters.find(sought, last + 1)
    spans: list[tuple[int, int]] = []
    for begin, stop in sorted(found):
        if spans and begin <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(stop, spans[-1][1])
        else:
            spans.append((begin, stop))
    return spans


def folded(text: str) -> tuple[str, Sequence[int]]:
    """The text folded as the database folds it, with a space before it; and each character's offset in the text."""
    if text.isascii():
        return " " + text.lower().translate(SPACES), [0, *range(len(text))]
    letters, places = [" "], [0]
    for place, character in enumerate(text):
        plain = _folded(character)
        letters.append(plain)
        places += [place] * len(plain)
    return "".join(letters), places


@lru_cache(maxsize=10_000)
def _folded(character: str) -> str:
    plain = "".join(one for one in unicodedata.normalize("NFKD", character) if not "\u0300" <= one <= "\u036f")
    return unicodedata.normalize("NFC", plain).lower().replace("ς", "σ").translate(SPACES)
