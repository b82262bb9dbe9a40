"""Search in everybody's titles, messages and their tool calls, newest first, within a time limit.

A later request can continue it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from chatbot.core import sql
from chatbot.core.cursors import Cursor
from conversations.search.searching import Hit, needle
from conversations.search.statements import EXCERPT, EXCERPT_BEFORE, HOLDS_ALL, first_call

STATEMENT = """
    WITH scanned AS MATERIALIZED (
        SELECT id, {columns}, {time} AS time, row_number() OVER (ORDER BY {time} DESC, id DESC) AS number
        FROM {table} WHERE ({time}, id) < (%(time)s, %(key)s) AND {time} >= %(since)s
        ORDER BY {time} DESC, id DESC LIMIT %(block)s
    ), hit AS (
        SELECT scanned.id, time, number, role, conversation_id, coalesce(tool, '') AS tool,
            coalesce(said, content) AS said, coalesce(place, strpos(folded, %(first)s)) AS place
        FROM scanned
        CROSS JOIN LATERAL (SELECT ' ' || chat_fold(content) AS folded OFFSET 0) AS text
        CROSS JOIN LATERAL (SELECT {holds_all} AS is_held OFFSET 0) AS own
        LEFT JOIN LATERAL {first_call} AS called ON NOT is_held
        WHERE is_held OR place IS NOT NULL
        ORDER BY number LIMIT %(most)s
    )
    SELECT (SELECT count(*) FROM scanned), last.id, last.time, hit.number, hit.id, hit.time, hit.role,
        conversation.id, conversation.title, conversation.trashed_at IS NOT NULL, person.email,
        substr(hit.said, greatest(place - {before}, 1), {excerpt}), place > {before} + 1, hit.tool
    FROM (SELECT id, time FROM scanned ORDER BY number DESC LIMIT 1) AS last
    LEFT JOIN hit ON true
    LEFT JOIN conversations_conversation AS conversation ON conversation.id = hit.conversation_id
    LEFT JOIN accounts_user AS person ON person.id = conversation.user_id
    ORDER BY hit.number
"""


@dataclass(frozen=True, slots=True)
class Source:
    """The table that is searched, and how much of it for one page."""

    noun: str
    table: str
    columns: str
    time: str
    """The column by which the rows are ordered."""
    block: int
    """Rows that one statement reads."""
    at_most: int
    """Rows read for one page at most."""
    seconds: float
    """Seconds after which no further block is started."""
    hits: int

    @property
    def sql(self) -> str:
        """The SQL statement that searches one block of rows."""
        return STATEMENT.format(
            table=self.table,
            columns=self.columns,
            time=self.time,
            before=EXCERPT_BEFORE,
            excerpt=EXCERPT,
            holds_all=HOLDS_ALL,
            first_call=first_call("scanned.tool_calls"),
        )


TITLES = Source(
    "title",
    "conversations_conversation",
    "id AS conversation_id, title AS content, '' AS role, NULL::jsonb AS tool_calls",
    "updated_at",
    block=2_000,
    at_most=50_000,
    seconds=0.5,
    hits=20,
)
MESSAGES = Source(
    "message",
    "conversations_message",
    "conversation_id, content, role, tool_calls",
    "created_at",
    block=2_000,
    at_most=50_000,
    seconds=2.0,
    hits=50,
)

FIRST = Cursor(datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))
"""Cursor before the newest row, where a search begins."""


class Row(NamedTuple):
    """A hit in a block, with the block's size and end; without a hit `number` is None."""

    scanned: int
    last: UUID
    last_time: datetime
    number: int | None
    """Position of the hit in the block, from 1."""
    key: UUID
    time: datetime
    role: str
    """Role of the message's author; empty for a title."""
    conversation_id: UUID
    title: str
    is_trashed: bool
    email: str
    excerpt: str
    is_cut: bool
    tool: str

    def hit(self) -> Hit:
        """The hit: a title or a message."""
        if not self.role:
            return Hit(self.conversation_id, self.title, self.time, is_trashed=self.is_trashed)
        return Hit(
            self.conversation_id,
            self.title,
            self.time,
            self.key,
            self.role,
            self.excerpt,
            is_cut=self.is_cut,
            is_trashed=self.is_trashed,
            tool=self.tool,
        )


@dataclass(slots=True)
class Scanned:
    """How far a search over everybody's rows has come."""

    rows: int = 0
    until: datetime | None = None
    """Time of the last row that was read, None before the first."""
    place: Cursor | None = None
    """Cursor at which the search continues; None at the end."""


def scan(
    source: Source, terms: tuple[str, ...], before: Cursor = FIRST, *, since: datetime | None = None
) -> tuple[Scanned, list[tuple[Hit, str]]]:
    """The rows older than `before` that hold every term, newest first, each with its owner's e-mail; and the progress.

    Ends at as many hits or rows as the source allows, or after its time, each checked after a block.
    """
    scanned, found, deadline = Scanned(place=before), list[tuple[Hit, str]](), monotonic() + source.seconds
    needles = [needle(term) for term in terms]
    parameters = {"needles": needles, "first": max(needles, key=len), "block": source.block}
    parameters["since"] = since or "-infinity"
    while scanned.rows < source.at_most and len(found) < source.hits and monotonic() < deadline:
        room, start = source.hits - len(found), scanned.place or before
        rows = _rows(source, parameters | {"time": start.time, "key": start.key, "most": room + 1})
        if not rows:
            scanned.place = None
            break
        count, last, time, *_ = rows[0]
        hits = [row for row in rows if row.number]
        found += [(row.hit(), row.email) for row in hits[:room]]
        goes_on = count == source.block
        if len(hits) > room:
            # The continued search reads the rest of this block again.
            row = hits[room - 1]
            count, last, time = row.number or 0, row.key, row.time
            goes_on = True
        scanned.rows += count
        scanned.until, scanned.place = time, Cursor(time, last) if goes_on else None
        if scanned.place is None:
            break
    return scanned, found


def _rows(source: Source, parameters: dict[str, Any]) -> list[Row]:
    """The rows; the database cancels the statement after five seconds."""
    with transaction.atomic():
        sql.run("SET LOCAL statement_timeout = '5s'")
        return sql.rows(Row, source.sql, parameters)
