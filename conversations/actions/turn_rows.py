"""Statements that store a turn: few and prepared, because every person who sends waits for them.

The ORM needs twice as many, and takes longer to build each of them than the database to run it. They run in the
caller's transaction.
"""

from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Model

from accounts.models import User
from chatbot.core import sql
from conversations.models import NO_WORKER, TODAY, UNDER_WAY, Conversation, Message, PersonUsage, Tally, counted

RATE_PERIOD = "1 minute"

KNOWN = {bool, datetime, str, UUID}


class Admission(NamedTuple):
    """State of a person who wants to ask the model, after this request is counted."""

    turns: int
    """Number of requests in the current minute."""
    is_there: bool
    """Whether the conversation exists outside the trash; true for a new one."""
    usage: PersonUsage
    """The person's usage without this request."""
    has_limits: bool
    """Whether the site has any usage limits."""


class CountedTurn(NamedTuple):
    """The person's row, with this request counted, and further columns of the statement."""

    turns: int
    is_locked: bool
    """Whether the conversation exists, and is now locked."""
    has_limits: bool
    day: date
    day_messages: int
    month_messages: int
    tokens_on: date | None
    day_tokens: int
    month_tokens: int

    @property
    def usage(self) -> PersonUsage:
        """The person's usage without this request."""
        messages = Tally(self.day, self.day_messages, self.month_messages)
        return PersonUsage.at(self.day, messages, Tally(self.tokens_on, self.day_tokens, self.month_tokens))


class RepliesAndEnd(NamedTuple):
    """The person's replies under way, and the end of the conversation's branch."""

    open_replies: int
    end: UUID | None


def admit(user: User, conversation: Conversation | None) -> Admission:
    """Count one more request of the person, and lock the conversation. Causes a query.

    Until the transaction ends, the person's other turns and those of the conversation wait here.
    """
    row = sql.only(
        CountedTurn,
        f"""
        WITH locked AS (
            SELECT id FROM conversations_conversation WHERE id = %(conversation)s AND trashed_at IS NULL
            FOR NO KEY UPDATE
        )
        INSERT INTO conversations_turnwindow AS kept
            (user_id, began_at, turns, messages_on, day_messages, month_messages)
        VALUES (%(user)s, statement_timestamp(), 1, {TODAY}, 1, 1)
        ON CONFLICT (user_id) DO UPDATE SET
            began_at = CASE WHEN kept.began_at > statement_timestamp() - %(period)s::interval THEN kept.began_at
                ELSE statement_timestamp() END,
            turns = CASE WHEN kept.began_at > statement_timestamp() - %(period)s::interval THEN kept.turns + 1
                ELSE 1 END,
            {counted("messages", "1", today="excluded.messages_on")}
        RETURNING turns, (SELECT count(*) FROM locked) > 0,
            (SELECT id FROM conversations_usagelimit ORDER BY id LIMIT 1) IS NOT NULL,
            messages_on, day_messages - 1, month_messages - 1, tokens_on, day_tokens, month_tokens
        """,  # noqa: S608 (constants)
        {
            "user": user.pk,
            "conversation": conversation and conversation.pk,
            "period": RATE_PERIOD,
            "zone": settings.TIME_ZONE,
        },
    )
    return Admission(row.turns, conversation is None or row.is_locked, row.usage, row.has_limits)


def open_replies_and_end(user: User, conversation: Conversation | None) -> RepliesAndEnd:
    """Number of the person's replies under way, and the end of the conversation's chosen branch. Causes a query.

    A reply that waits for its person's decision is not under way, nor is one without a worker for over a minute: that
    is made when somebody watches it. The end is by default the newest message. The numbers are exact after `admit`: a
    later statement sees all turns stored before this one.
    """
    return sql.only(
        RepliesAndEnd,
        f"""
        SELECT
            (SELECT count(*) FROM conversations_generation AS generation
                JOIN conversations_conversation AS conversation ON conversation.id = generation.conversation_id
                WHERE conversation.user_id = %(user)s AND generation.status = ANY(%(under_way)s)
                    AND (NOT {NO_WORKER} OR conversation.updated_at > statement_timestamp() - interval '1 minute')),
            (SELECT coalesce(current_message_id, (SELECT id FROM conversations_message AS message
                    WHERE message.conversation_id = chosen.id ORDER BY created_at DESC, id DESC LIMIT 1))
                FROM conversations_conversation AS chosen WHERE id = %(conversation)s)
        """,  # noqa: S608 (a constant)
        {"user": user.pk, "conversation": conversation and conversation.pk, "under_way": list(UNDER_WAY)},
    )


def insert(*rows: Model, end: Message | None = None) -> None:
    """Insert the rows, in one statement; and make `end` the end of its conversation's branch, if that existed.

    A new message brings an archived conversation back.
    """
    parts = [_insertion(row) for row in rows]
    if end:
        update = """
            UPDATE conversations_conversation SET updated_at = %s, current_message_id = %s, archived_at = NULL
            WHERE id = %s
        """
        parts.insert(0, (update, [end.created_at, end.pk, end.conversation_id]))
    *first, (last, values) = parts
    common = ", ".join(f"part{number} AS ({statement})" for number, (statement, _) in enumerate(first))
    sql.run(f"WITH {common} {last}", [value for _, part in first for value in part] + values)


def _insertion(row: Model) -> tuple[str, list[Any]]:
    # What is None is left out: the driver remembers only statements of at most 50 parameters.
    found = [(field, getattr(row, field.attname)) for field in row._meta.concrete_fields]
    columns = tuple([field.column for field, value in found if value is not None])
    # What the driver knows needs no preparation by the field; of its own kinds exactly: a choice's is a subclass.
    return _statement(row._meta.db_table, columns), [
        value if type(value) in KNOWN else field.get_db_prep_save(value, connection=connection)
        for field, value in found
        if value is not None
    ]


@cache
def _statement(table: str, columns: tuple[str, ...]) -> str:
    names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 (the models' own names)
