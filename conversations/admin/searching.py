"""Search in messages by staff: one person's by the index, everybody's within a time limit.

A search shows text, so each conversation that is found gets an entry in its history.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from accounts.models import User
from chatbot.core.cursors import Cursor
from conversations.admin.links import transcript_url
from conversations.admin.readings import record
from conversations.pages.found import marked, passage_of
from conversations.search.everybody import FIRST, MESSAGES, TITLES, Scanned, scan
from conversations.search.searching import Among, Hit, folded, search, terms_of

FOUND = "Found by a search of what was said."
PLACES = {"t": TITLES, "p": MESSAGES}
"""Parameter with the cursor at which titles, or messages, continue -> the source searched."""


@dataclass(frozen=True, slots=True)
class Result:
    """One hit on the search page."""

    url: str
    conversation: UUID
    email: str
    title: SafeString
    passage: SafeString
    time: datetime
    role: str = ""
    is_trashed: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """The hits in titles, or those in messages."""

    noun: str
    results: list[Result]
    scanned: Scanned | None = None
    """How far the search has come; None for one person, whose rows are all searched."""
    further: str = ""
    """Address that continues the search; empty at its end."""


def results(request: HttpRequest) -> dict[str, Any]:
    """The search page's context. Records every conversation found before it is shown."""
    asked = {name: request.GET.get(name, "").replace("\0", "").strip() for name in ("q", "email", "from", "to")}
    words = terms_of(asked["q"])
    context: dict[str, Any] = {"asked": asked, "is_asked": bool(words)}
    if not words:
        return context
    since, until = _midnight(asked["from"]), _midnight(asked["to"], days=1)
    if asked["email"]:
        person = User.objects.filter(email=asked["email"]).first()
        if person is None:
            return context | {"nobody": True}
        found = search(person, asked["q"], Among(trash=True, since=since, until=until))
        context["is_full"] = found.is_full
        lines = [[_line(hit, found.terms, person.email) for hit in hits] for hits in (found.titles, found.messages)]
        parts = [Part(source.noun, some) for source, some in zip((TITLES, MESSAGES), lines, strict=True)]
    else:
        parts = list(_of_everybody(request, asked, tuple(dict.fromkeys(folded(words))), since, until))
    record(request, dict.fromkeys(line.conversation for part in parts for line in part.results), FOUND)
    return context | {"parts": parts}


def _of_everybody(
    request: HttpRequest,
    asked: dict[str, str],
    terms: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
) -> Iterable[Part]:
    """Hits in titles and messages, or only in the source that the address continues."""
    places = {name: place for name in PLACES if (place := _place(request, name))}
    start = Cursor(until, UUID(int=0)) if until else FIRST
    for name, source in PLACES.items():
        if places and name not in places:
            continue
        if not terms:
            yield Part(source.noun, [], Scanned())
            continue
        scanned, found = scan(source, terms, places.get(name, start), since=since)
        further = f"?{urlencode(asked | {name: str(scanned.place)})}" if scanned.place else ""
        yield Part(source.noun, [_line(hit, terms, email) for hit, email in found], scanned, further)


def _line(hit: Hit, terms: tuple[str, ...], email: str) -> Result:
    passage = passage_of(hit, terms) if hit.message_id else SafeString("")
    url = transcript_url(hit.conversation_id, hit.message_id)
    title = marked(hit.title, terms)
    return Result(url, hit.conversation_id, email, title, passage, hit.time, f"{hit.role}{hit.where}", hit.is_trashed)


def _place(request: HttpRequest, name: str) -> Cursor | None:
    try:
        return Cursor.parse(request.GET.get(name, ""))
    except ValueError:
        return None


def _midnight(day: str, *, days: int = 0) -> datetime | None:
    """Start of the day, or of the one `days` later, in the reader's time zone; None for an invalid date."""
    try:
        found: date | None = parse_date(day)
        return timezone.make_aware(datetime.combine(found + timedelta(days=days), time())) if found else None
    except (ValueError, OverflowError):
        return None
