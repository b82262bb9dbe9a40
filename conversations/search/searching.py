"""Search in a person's titles, messages and tool calls: any part of a word, in any script.

The database folds text (`chat_fold`: small letters, no accents) and indexes its n-grams (`chat_grams`), hashed with the
person (`chat_keys`), together with blocks of days (`chat_days`). A frequent word is found among a person's newest
messages without the index; any other by the index, one block of days after the other, the newest first, until there are
enough hits. So the cost of a search hardly grows with the number of a person's messages.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.models import User
from chatbot.core import sql
from conversations.models.titles import shortened
from conversations.search.statements import CALLS, KEYS, TEXTS, Searched

QUERY_MAX_CHARS = 200
TERMS_MAX = 8
NEWEST = 300
"""Newest messages that are searched without the index."""

ENOUGH = 30
"""Hits among the newest messages that make the index unnecessary."""

CANDIDATES = 2_000
"""Messages from the index that are read at most."""

BLOCKS_MAX, BLOCKS_MIN = 32, 2
"""Most and fewest blocks into which a person's time is divided."""

HITS_MAX, TITLES_MAX = 50, 10
TOOL_MAX_CHARS = 60
"""Characters of a tool's name that a hit shows."""
DENSE = re.compile("[\u2190-\u2bff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\ufe30-\uffef\U0001f000-\U0003ffff]+")
"""Characters of scripts in which a word has one or two characters; the database's `chat_grams` has the same ones."""

UNSEEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found, or a conversation whose title was found."""

    conversation_id: UUID
    title: str
    time: datetime
    message_id: UUID | None = None
    role: str = ""
    excerpt: str = ""
    is_cut: bool = False
    """Whether the message has text before the excerpt."""
    is_archived: bool = False
    is_trashed: bool = False
    tool: str = ""
    """Of a hit in a tool call, the tool; the excerpt is of its arguments and result then."""

    @property
    def where(self) -> str:
        """Of a hit in a tool call, the tool after a comma; empty for any other."""
        return f", {shortened(self.tool, TOOL_MAX_CHARS)}" if self.tool else ""


@dataclass(frozen=True, slots=True)
class Among:
    """The part of a person's conversations and messages that is searched."""

    trash: bool = False
    """Whether conversations in the trash are included."""
    since: datetime | None = None
    until: datetime | None = None
    """Bounds, from and before, for the time of a message, or of a conversation's last message."""


KEPT = Among()
"""All of the person's conversations outside the trash."""


@dataclass(frozen=True, slots=True)
class Found:
    """The hits of a search and the terms that were searched."""

    terms: tuple[str, ...]
    """The searched words, folded as in the index."""
    titles: tuple[Hit, ...] = ()
    messages: tuple[Hit, ...] = ()

    @property
    def is_full(self) -> bool:
        """Whether there may be more hits than are shown."""
        return len(self.messages) >= HITS_MAX or len(self.titles) >= TITLES_MAX


def terms_of(query: str) -> list[str]:
    """The words of a query; all of them must occur, in any order."""
    return UNSEEN.sub(" ", query)[:QUERY_MAX_CHARS].split()[:TERMS_MAX]


def search(user: User, query: str, among: Among = KEPT) -> Found:
    """The person's conversations and messages that hold every word of the query, the best first. Causes 2 to 7 queries.

    Of a message, either its text holds them all, or one of its tool calls: what was asked, and what came of it. A word
    of one or two letters matches only at the beginning of words.
    """
    if not (words := terms_of(query)):
        return Found(())
    if not (terms := tuple(dict.fromkeys(folded(words)))):
        return Found(())
    titles, messages = _titles(user, terms, among), _messages(user, terms, among)
    phrase = " ".join(terms)
    ranked = sorted(messages, key=lambda hit: (_is_whole(hit.excerpt, phrase), hit.time), reverse=True)
    return Found(terms, tuple(titles), tuple(ranked))


def folded(words: Sequence[str]) -> list[str]:
    """The words, folded as in the index. Causes a query."""
    column = sql.column(
        "SELECT chat_fold(word) FROM unnest(%s::text[]) WITH ORDINALITY AS said (word, place)", [list(words)]
    )
    return [term for word in column for term in word.split()]


def needle(term: str) -> str:
    """The string that a folded text, with a space before it, must contain to match the term."""
    return f" {term}" if len(term) <= 2 and term.isalnum() and not DENSE.search(term) else term


def grams(term: str) -> set[str]:
    """N-grams that the index holds for every text with the term; empty for a term too short for the index."""
    sought = needle(term)
    # Adjacent n-grams and the last one: overlapping ones would only make the index read more.
    starts = (
        (run, i) for run in DENSE.split(sought) if len(run) > 2 for i in (*range(0, len(run) - 2, 3), len(run) - 3)
    )
    pieces = {run[i : i + 3] for run, i in starts}
    for run in DENSE.findall(sought):
        pieces |= {run[i : i + 2] for i in range(len(run) - 1)} or {run}
    return pieces


def _is_whole(excerpt: str, phrase: str) -> bool:
    """Whether the words occur together in the excerpt, as a phrase."""
    return phrase in " ".join(excerpt.lower().split())


TITLE = "SELECT id, title, updated_at, archived_at IS NOT NULL, trashed_at IS NOT NULL FROM"
LISTED = """user_id = %(user)s AND (%(trash)s OR trashed_at IS NULL)
    AND updated_at >= %(since)s AND updated_at < %(until)s"""
HOLDS_ALL = "(SELECT bool_and(strpos(' ' || chat_fold(title), needle) > 0) FROM unnest(%(needles)s::text[]) AS needle)"
NEWEST_TITLES = f"""
    {TITLE} (
        SELECT * FROM conversations_conversation WHERE {LISTED} ORDER BY created_at DESC LIMIT %(newest)s
    ) AS newest
    WHERE {HOLDS_ALL} ORDER BY updated_at DESC LIMIT %(titles)s
"""  # noqa: S608 (constants)
INDEXED_TITLES = f"""
    {TITLE} (
        SELECT id, title, user_id, archived_at, trashed_at, updated_at FROM conversations_conversation
        WHERE chat_keys(user_id, title) @> {KEYS} ORDER BY updated_at DESC OFFSET 0
    ) AS named
    WHERE {LISTED} AND {HOLDS_ALL} LIMIT %(titles)s
"""  # noqa: S608 (constants)


def _messages(user: User, terms: Sequence[str], among: Among) -> list[Hit]:
    """Messages whose text holds every term, and others with a tool call that does."""
    parameters = _parameters(user, terms, among)
    hits = _hits(TEXTS, parameters)
    found = {hit.message_id for hit in hits}
    return hits + [hit for hit in _hits(CALLS, parameters) if hit.message_id not in found][: HITS_MAX - len(hits)]


def _hits(searched: Searched, parameters: dict[str, Any]) -> list[Hit]:
    indexed = bool(parameters["grams"])
    # A term without n-grams cannot use the index: search more of the newest messages.
    newest = NEWEST if indexed else CANDIDATES
    hits = sql.rows(Hit, searched.among_the_newest(), parameters | {"newest": newest})
    if indexed and len(hits) < ENOUGH:
        hits = sql.rows(Hit, searched.by_index(), parameters)
    return hits


def _titles(user: User, terms: Sequence[str], among: Among) -> list[Hit]:
    parameters = _parameters(user, terms, among)
    statement = INDEXED_TITLES if parameters["grams"] else NEWEST_TITLES
    return sql.rows(_title, statement, parameters | {"newest": CANDIDATES})


def _title(key: UUID, title: str, time: datetime, *states: bool) -> Hit:
    is_archived, is_trashed = states
    return Hit(key, title, time, is_archived=is_archived, is_trashed=is_trashed)


def _parameters(user: User, terms: Sequence[str], among: Among) -> dict[str, Any]:
    needles = [needle(term) for term in terms]
    pieces = sorted(set().union(*(grams(term) for term in terms)))
    return {
        "user": user.pk,
        "trash": among.trash,
        "since": among.since or "-infinity",
        "until": among.until or "infinity",
        "first": max(needles, key=len),
        "needles": needles,
        "grams": pieces,
        # Each block costs a look-up per n-gram. Many n-grams match few messages, which need no division.
        "blocks": min(BLOCKS_MAX, max(BLOCKS_MIN, 128 // max(1, len(pieces)) ** 2)),
        "candidates": CANDIDATES,
        "most": HITS_MAX,
        "titles": TITLES_MAX,
    }
