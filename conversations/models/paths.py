"""Branches of a conversation, read from their end up to the first message: one statement, however long the chat."""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection
from django.db.models import UUIDField
from django.db.models.expressions import RawSQL

from conversations.models import Conversation, Message

PARENT = """
    CROSS JOIN LATERAL (
        SELECT * FROM conversations_message AS parent WHERE parent.id = path.parent_id
        -- Keeps the planner from reading the whole table at each step, when it knows little of it.
        OFFSET 0
    ) AS message
"""
"""The next step of a statement's `path`."""


def upwards(conversation: Conversation, end: UUID | None, count: int) -> RawSQL:
    """The keys of the `count` messages that lead to the one with the key `end`, itself among them, for a query.

    None without such a message in the conversation.
    """
    return RawSQL(  # noqa: S611 (nothing in it comes from outside)
        _upwards("SELECT %s::uuid"), (end, conversation.pk, count), UUIDField()
    )


def before(conversation: Conversation, message: UUID, count: int) -> RawSQL:
    """The same of the `count` messages that lead to a message, without that one."""
    return RawSQL(  # noqa: S611 (nothing in it comes from outside)
        _upwards("SELECT parent_id FROM conversations_message WHERE id = %s"),
        (message, conversation.pk, count),
        UUIDField(),
    )


def _upwards(end: str) -> str:
    return f"""
        WITH RECURSIVE path (id, parent_id, depth) AS (
            SELECT id, parent_id, 1 FROM conversations_message WHERE id = ({end}) AND conversation_id = %s
            UNION ALL
            SELECT message.id, message.parent_id, path.depth + 1 FROM path {PARENT} WHERE path.depth < %s
        )
        SELECT id FROM path
    """  # noqa: S608 (the constants above)


def oldest_first(messages: Iterable[Message]) -> list[Message]:
    """Messages of which each but one is the parent of another, in this order."""
    by_key = {message.pk: message for message in messages}
    parents = {message.parent_id for message in by_key.values()}
    found: list[Message] = []
    message = next((message for message in by_key.values() if message.pk not in parents), None)
    while message:
        found.append(message)
        message = by_key.get(message.parent_id) if message.parent_id else None
    return found[::-1]


def place(conversation: Conversation, end: UUID, message: UUID, *, below: int) -> tuple[int, UUID] | None:
    """Where a message stands on the branch with this end: 1 at the end, 2 above it, and so on; and the key of the
    message `below` places after it, or of the end if that is nearer. None when it stands on another branch."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE path (id, parent_id, depth) AS (
                SELECT id, parent_id, 1 FROM conversations_message WHERE id = %s AND conversation_id = %s
                UNION ALL
                SELECT message.id, message.parent_id, path.depth + 1 FROM path {PARENT} WHERE path.id <> %s
            )
            SELECT found.depth, later.id
            FROM path AS found JOIN path AS later ON later.depth = greatest(found.depth - %s, 1) WHERE found.id = %s
            """,  # noqa: S608 (a constant)
            [end, conversation.pk, message, below, message],
        )
        found: tuple[int, UUID] | None = cursor.fetchone()
        return found


def last_end(conversation: Conversation, message: UUID) -> UUID | None:
    """The end of the branch through this message on which the person was last, whether by saying something or by going
    there. None without such a message in the conversation."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE below (id, parent_id, left_at) AS (
                SELECT id, parent_id, coalesce(chosen_at, created_at) FROM conversations_message
                WHERE id = %s AND conversation_id = %s
                UNION ALL
                SELECT child.id, child.parent_id, coalesce(child.chosen_at, child.created_at)
                FROM below CROSS JOIN LATERAL (
                    SELECT * FROM conversations_message AS message WHERE message.parent_id = below.id
                    -- Keeps the planner from reading the whole table at each step, when it knows little of it.
                    OFFSET 0
                ) AS child
            )
            SELECT id FROM below
            WHERE id NOT IN (SELECT parent_id FROM below WHERE parent_id IS NOT NULL)
            ORDER BY left_at DESC, id DESC LIMIT 1
            """,
            [message, conversation.pk],
        )
        found = cursor.fetchone()
        return found[0] if found else None


def current_end(conversation: Conversation) -> UUID | None:
    """The end of the chosen branch; the newest message where none is chosen, which causes a query."""
    if conversation.current_message_id:
        return conversation.current_message_id
    newest: UUID | None = conversation.messages.newest_first().values_list("pk", flat=True).first()
    return newest
