"""Messages of an import: collected in a temporary table, checked there, then inserted at once.

So neither a conversation's length nor the order of its messages matters, and memory use is constant.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid5

from django.db import connection
from django.db.models import Model
from psycopg.types.json import Jsonb

from accounts.models import User
from chatbot.core import sql
from conversations.models import Conversation, Feedback, Generation, Message
from conversations.transfer.checking import Refused

MESSAGE = {
    "role": "text",
    "content": "text",
    "tool_calls": "jsonb",
    "created_at": "timestamptz",
    "chosen_at": "timestamptz",
}
GENERATION = {
    "status": "text",
    "model": "text",
    "thought": "text",
    "thought_seconds": "float8",
    "finish_reason": "text",
    "error_code": "text",
    "error_params": "jsonb",
    "error": "text",
    "error_detail": "text",
    "request_id": "text",
    "prompt_tokens": "int",
    "completion_tokens": "int",
    "cached_tokens": "int",
    "reasoning_tokens": "int",
    "window_start": "timestamptz",
    "window_cut": "bool",
    "started_at": "timestamptz",
    "first_token_at": "timestamptz",
    "finished_at": "timestamptz",
}
FEEDBACK = {"rating": "text", "comment": "text", "created_at": "timestamptz", "updated_at": "timestamptz"}
KEYS = {"position": "int", "id": "uuid", "parent_id": "uuid"}
JSON = ("tool_calls", "error_params")
COLUMNS = KEYS | MESSAGE | GENERATION | {f"feedback_{name}": kind for name, kind in FEEDBACK.items()}

CREATE = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS imported_message ({", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())})
    ON COMMIT DELETE ROWS;
CREATE INDEX IF NOT EXISTS imported_message_id ON imported_message (id);
CREATE INDEX IF NOT EXISTS imported_message_parent ON imported_message (parent_id)
"""

# The planner has no statistics of this table. These statements cost each message one index look-up or its place in one
# sort, whatever the planner assumes. A setting such as enable_hashjoin would last until the transaction ends, and raise
# the estimated cost of later statements to where the server compiles them (jit).
TWICE = """
SELECT min(position) FROM (
    SELECT position, id = lag(id) OVER (ORDER BY id, position) AS is_second FROM imported_message
) AS sorted WHERE is_second
"""
ORPHAN = """
SELECT min(position) FROM imported_message AS one
WHERE parent_id IS NOT NULL AND (SELECT true FROM imported_message AS other WHERE other.id = one.parent_id) IS NULL
"""
BACKWARDS = """
SELECT EXISTS (
    SELECT FROM imported_message AS one
    WHERE (SELECT position FROM imported_message AS other WHERE other.id = one.parent_id) >= one.position
)
"""
DERIVED = (
    "overlay(overlay(left(encode(sha256((%(salt)s || {}::text)::bytea), 'hex'), 32)"
    " PLACING '8' FROM 13) PLACING '8' FROM 17)::uuid"
)
"""SQL of a key derived from another key and the conversation's: a UUID of version 8, the same for the same pair."""

CHOOSE = """
UPDATE conversations_conversation SET current_message_id = (
    SELECT {} FROM imported_message ORDER BY id = %(key)s DESC NULLS LAST, created_at DESC, position DESC LIMIT 1
) WHERE id = %(conversation)s
"""
"""Sets the end of the conversation's chosen branch."""

UNREACHED = """
WITH RECURSIVE reached AS (
    SELECT id, position FROM imported_message WHERE parent_id IS NULL
    UNION ALL
    SELECT child.id, child.position FROM reached CROSS JOIN LATERAL (
        SELECT id, position FROM imported_message AS one WHERE one.parent_id = reached.id OFFSET 0
    ) AS child
)
SELECT min(position) FROM (SELECT position FROM imported_message EXCEPT SELECT position FROM reached) AS lost
"""


def drop() -> None:
    """Drop the table, once nothing more is collected."""
    sql.run("DROP TABLE IF EXISTS imported_message")


def gather(rows: Iterable[dict[str, Any]], *, begin: int) -> int:
    """Put rows of `checking.message` into the table, numbered from `begin`; returns the number of the next one.

    They stay until the transaction ends. Behind a pooler the next transaction may have another session, so each call
    creates the table if it is missing.
    """
    position = begin
    sql.run(CREATE)
    with connection.cursor() as cursor, cursor.copy(f"COPY imported_message ({', '.join(COLUMNS)}) FROM STDIN") as copy:
        for row in rows:
            objects = {name: Jsonb(row[name]) for name in JSON if row.get(name) is not None}
            filled = row | objects | {"position": position}
            copy.write_row([filled.get(column) for column in COLUMNS])
            position += 1
    return position


def check() -> None:
    """Raise `Refused` for messages that do not form a tree."""
    if number := sql.value(TWICE):
        raise Refused(f"Message {number:,} has the same “id” as one before it.")
    if number := sql.value(ORPHAN):
        raise Refused(f"Message {number:,} answers a message that is not in this conversation.")
    if sql.value(BACKWARDS) and (number := sql.value(UNREACHED)):
        raise Refused(f"Message {number:,} answers itself, directly or through others.")


def insert(conversation: Conversation, *, current: UUID | None, derive: bool) -> None:
    """Insert the collected messages into this conversation, with their own keys or ones derived from its key.

    The chosen branch ends with the message `current`, or with the newest one if there is no such message.
    """
    own, parent = (DERIVED.format(name) if derive else name for name in ("id", "parent_id"))
    place = {"conversation_id": conversation.pk}
    message = {name: name for name in MESSAGE} | {"id": own, "parent_id": parent}
    generation = {name: name for name in GENERATION} | {"message_id": own}
    _insert(Message, message, place | {"user_id": conversation.user_id}, conversation)
    _insert(Generation, generation, place, conversation, "WHERE status IS NOT NULL")
    feedback = {name: f"feedback_{name}" for name in FEEDBACK} | {"message_id": own}
    _insert(Feedback, feedback, {"user_id": conversation.user_id}, conversation, "WHERE feedback_rating IS NOT NULL")
    sql.run(CHOOSE.format(own), {"salt": conversation.pk.hex, "key": current, "conversation": conversation.pk})


def _insert(
    model: type[Model],
    columns: dict[str, str],
    values: dict[str, Any],
    conversation: Conversation,
    condition: str = "",
) -> None:
    """Insert rows: `columns` from the staging table, `values` as constants, the default for each other field."""
    places: dict[str, str] = {}
    parameters: dict[str, Any] = {"salt": conversation.pk.hex}
    for field in model._meta.concrete_fields:
        name = str(field.column)
        if name in columns:
            places[name] = columns[name]
        elif name in values or not field.has_db_default():
            places[name] = f"%({name})s"
            value = values[name] if name in values else field.get_default()
            parameters[name] = field.get_db_prep_save(value, connection=connection)
    names, expressions = ", ".join(places), ", ".join(places.values())
    sql.run(
        f"INSERT INTO {model._meta.db_table} ({names})"  # noqa: S608 (the models' own names)
        f" SELECT {expressions} FROM imported_message {condition} ORDER BY position",
        parameters,
    )


def derived(user: User, key: UUID) -> UUID:
    """The key for an imported object whose own key is in use: always the same for the same person and key."""
    return uuid5(user.pk, key.hex)
