"""Looking for what was said: of one person by the index, of everybody as far as there is time for.

A search reads, whoever shows its hits to somebody: each conversation that is found gets an entry in its history.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.http import HttpRequest
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from accounts.models import User
from conversations.admin.links import transcript_url
from conversations.admin.readings import record
from conversations.models import Cursor
from conversations.pages.found import marked, passage_of
from conversations.searching import EXCERPT, EXCERPT_BEFORE, Hit, folded, needle, search, terms_of

BLOCK = 2_000
"""Messages that one statement looks through."""

MESSAGES_MAX = 50_000
"""Messages that a page looks through at most."""

SECONDS = 2.0
"""How long it goes on with a further block."""

HITS_MAX = 50
TITLES_MAX = 20
TITLES_LOOKED = 10_000
"""The newest conversations whose titles are looked at."""

FOUND = "Found in a search of what was said."

MATCHES = "(SELECT bool_and(strpos(folded, needle) > 0) FROM unnest(%(needles)s::text[]) AS needle)"
MESSAGES = f"""
    WITH looked AS MATERIALIZED (
        SELECT id, conversation_id, role, content, created_at,
            row_number() OVER (ORDER BY created_at DESC, id DESC) AS number
        FROM conversations_message WHERE (created_at, id) < (%(time)s, %(key)s)
        ORDER BY created_at DESC, id DESC LIMIT %(block)s
    ), hit AS (
        SELECT looked.*, strpos(folded, %(first)s) AS place FROM looked
        CROSS JOIN LATERAL (SELECT ' ' || chat_fold(content) AS folded OFFSET 0) AS text
        WHERE {MATCHES} ORDER BY number LIMIT %(most)s
    )
    SELECT (SELECT count(*) FROM looked), last.id, last.created_at, conversation.id, person.email, hit.id, hit.role,
        hit.created_at, conversation.title, substr(hit.content, greatest(place - {EXCERPT_BEFORE}, 1), {EXCERPT}),
        place > {EXCERPT_BEFORE} + 1, hit.number
    FROM (SELECT id, created_at FROM looked ORDER BY number DESC LIMIT 1) AS last
    LEFT JOIN hit ON true
    LEFT JOIN conversations_conversation AS conversation ON conversation.id = hit.conversation_id
    LEFT JOIN accounts_user AS person ON person.id = conversation.user_id
    ORDER BY hit.number
"""  # noqa: S608 (constants)
TITLES = f"""
    SELECT newest.id, person.email, newest.title, newest.updated_at FROM (
        SELECT id, user_id, title, updated_at FROM conversations_conversation ORDER BY updated_at DESC LIMIT %(looked)s
    ) AS newest
    CROSS JOIN LATERAL (SELECT ' ' || chat_fold(title) AS folded OFFSET 0) AS text
    JOIN accounts_user AS person ON person.id = newest.user_id
    WHERE {MATCHES} ORDER BY newest.updated_at DESC LIMIT %(titles)s
"""  # noqa: S608 (constants)


FIRST = Cursor(datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))
"""Before every message."""


@dataclass(frozen=True, slots=True)
class Result:
    """A line of the page."""

    url: str
    conversation: UUID
    email: str
    title: SafeString
    passage: SafeString
    time: datetime
    role: str = ""


@dataclass(slots=True)
class Looked:
    """How far a search over everybody has come."""

    messages: int = 0
    until: datetime | None = None
    """When the last message was said that was looked at."""
    place: Cursor | None = None
    """Where it goes on; None at the end."""


def results(request: HttpRequest) -> dict[str, Any]:
    """What the page shows. Whatever it finds is written down before it is shown."""
    query, email = request.GET.get("q", "").strip(), request.GET.get("email", "").strip()
    context: dict[str, Any] = {"query": query, "email": email, "is_asked": bool(terms_of(query))}
    context["titles_looked"] = TITLES_LOOKED
    if not context["is_asked"]:
        return context
    if email:
        person = User.objects.filter(email=email.replace("\0", "")).first()
        if person is None:
            return context | {"nobody": True}
        found = search(person, query)
        lines = [_line(hit, found.terms, person.email) for hit in (*found.titles, *found.messages)]
        context |= {"is_full": found.is_full, "results": lines}
    else:
        context |= _of_everybody(query, _place(request))
        if place := context["looked"].place:
            context["further"] = f"?{urlencode({'q': query, 'p': place})}"
    record(request, dict.fromkeys(line.conversation for line in context["results"]), FOUND)
    return context


def _of_everybody(query: str, before: Cursor | None) -> dict[str, Any]:
    terms = tuple(dict.fromkeys(folded(terms_of(query))))
    if not terms:
        return {"results": [], "looked": Looked()}
    lines = [] if before else titles(terms)
    looked, hits = everybody(terms, before)
    return {"results": [*lines, *hits], "looked": looked}


def everybody(
    terms: tuple[str, ...], before: Cursor | None = None, *, block: int = BLOCK, at_most: int = MESSAGES_MAX
) -> tuple[Looked, list[Result]]:
    """The hits among everybody's messages before this one, newest first, and how far that has looked.

    Ends at `HITS_MAX` hits, `at_most` messages or after `SECONDS`, each by a block at most.
    """
    looked, found, deadline = Looked(place=before), list[Result](), monotonic() + SECONDS
    while looked.messages < at_most and len(found) < HITS_MAX and monotonic() < deadline:
        room = HITS_MAX - len(found)
        start = looked.place or FIRST
        parameters = {"time": start.time, "key": start.key, "block": block, "most": room + 1}
        rows = _rows(MESSAGES, _parameters(terms) | parameters)
        if not rows:
            looked.place = None
            break
        count, last, time = rows[0][:3]
        hits = [row for row in rows if row[3] is not None]
        for row in hits[:room]:
            _, _, _, key, email, message, role, said_at, title, excerpt, is_cut, _ = row
            hit = Hit(key, title, False, said_at, message, role, excerpt, is_cut)  # noqa: FBT003 (a row's columns)
            found.append(_line(hit, terms, email))
        goes_on = count == block
        if len(hits) > room:
            # The rest of the block is looked at again by whoever goes on.
            _, _, _, _, _, last, _, time, *_, count = hits[room - 1]
            goes_on = True
        looked.messages += count
        looked.until, looked.place = time, Cursor(time, last) if goes_on else None
        if looked.place is None:
            break
    return looked, found


def titles(terms: tuple[str, ...]) -> list[Result]:
    """The newest conversations whose titles hold every term. Causes a query."""
    rows = _rows(TITLES, _parameters(terms) | {"looked": TITLES_LOOKED, "titles": TITLES_MAX})
    return [_line(Hit(key, title, False, time), terms, email) for key, email, title, time in rows]  # noqa: FBT003


def _line(hit: Hit, terms: tuple[str, ...], email: str) -> Result:
    passage = passage_of(hit, terms) if hit.message_id else SafeString("")
    url = transcript_url(hit.conversation_id, hit.message_id)
    return Result(url, hit.conversation_id, email, marked(hit.title, terms), passage, hit.time, hit.role)


def _parameters(terms: tuple[str, ...]) -> dict[str, Any]:
    needles = [needle(term) for term in terms]
    return {"needles": needles, "first": max(needles, key=len)}


def _place(request: HttpRequest) -> Cursor | None:
    try:
        return Cursor.parse(request.GET.get("p", ""))
    except ValueError:
        return None


def _rows(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows, unless that takes unduly long: then the database breaks off."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '5s'")
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
