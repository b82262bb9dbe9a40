"""Branches of a conversation, read from the end up to the first message: one statement, however long the chat."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from django.db.models import UUIDField
from django.db.models.expressions import RawSQL

from chatbot.core import sql
from conversations.models import Conversation, Message

PARENT = """
    CROSS JOIN LATERAL (
        SELECT * FROM conversations_message AS parent WHERE parent.id = path.parent_id
        -- Keeps the planner from reading the whole table at each step, when it knows little of it.
        OFFSET 0
    ) AS message
"""
"""SQL that joins the next step of `walk`."""


def walk(start: str, then: str, *, further: str, columns: Sequence[str] = ("id", "parent_id")) -> str:
    """SQL that walks up a branch, then runs `then` on its table `path`.

    It begins at the message for which `start` holds, and continues to the parent while `further` holds for the last
    step. The table has these columns of each message, the parent's key among them, and its `depth`: 1 for the
    first, 2 for its parent, and so on.
    """
    own, parents = ", ".join(columns), ", ".join(f"message.{column}" for column in columns)
    return f"""
        WITH RECURSIVE path ({own}, depth) AS (
            SELECT {own}, 1 FROM conversations_message WHERE {start}
            UNION ALL
            SELECT {parents}, path.depth + 1 FROM path {PARENT} WHERE {further}
        )
        {then}
    """  # noqa: S608 (the code's own texts)


UPWARDS, BEFORE = (
    walk(f"id = ({end}) AND conversation_id = %s", "SELECT id FROM path", further="path.depth < %s")
    for end in ("SELECT %s::uuid", "SELECT parent_id FROM conversations_message WHERE id = %s")
)
PLACE = walk(
    "id = %s AND conversation_id = %s",
    """
    SELECT found.depth, later.id
    FROM path AS found JOIN path AS later ON later.depth = greatest(found.depth - %s, 1) WHERE found.id = %s
    """,
    further="path.id <> %s",
)


def upwards(conversation: Conversation, end: UUID | None, count: int) -> RawSQL:
    """Keys of the `count` messages up to and including the message `end`, as an expression for a query.

    Empty without such a message in the conversation.
    """
    return RawSQL(UPWARDS, (end, conversation.pk, count), UUIDField())  # noqa: S611 (a constant)


def before(conversation: Conversation, message: UUID, count: int) -> RawSQL:
    """Keys of the `count` messages before a message, as an expression for a query.

    Empty without such a message in the conversation.
    """
    return RawSQL(BEFORE, (message, conversation.pk, count), UUIDField())  # noqa: S611 (a constant)


def oldest_first(messages: Iterable[Message]) -> list[Message]:
    """Messages of one path in order, from the first parent to the last child."""
    by_key = {message.pk: message for message in messages}
    parents = {message.parent_id for message in by_key.values()}
    found: list[Message] = []
    message = next((message for message in by_key.values() if message.pk not in parents), None)
    while message:
        found.append(message)
        message = by_key.get(message.parent_id) if message.parent_id else None
    return found[::-1]


class Place(NamedTuple):
    """Where a message stands on a branch."""

    depth: int
    """1 at the end, 2 above it, and so on."""
    later: UUID
    """The key of the message that stands some places after it."""


def place(conversation: Conversation, end: UUID, message: UUID, *, below: int) -> Place | None:
    """Depth of a message on the branch with this end, and the message `below` places after it, or the end if that is
    nearer. None when it is on another branch. Causes a query."""
    return sql.first(Place, PLACE, [end, conversation.pk, message, below, message])


LAST_END = """
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
"""


def last_end(conversation: Conversation, message: UUID) -> UUID | None:
    """The end of the branch through this message on which the person was last, by writing there or by choosing it.

    None without such a message in the conversation. Causes a query.
    """
    found: UUID | None = sql.value(LAST_END, [message, conversation.pk])
    return found


def current_end(conversation: Conversation) -> UUID | None:
    """The end of the chosen branch; the newest message where none is chosen, which causes a query."""
    if conversation.current_message_id:
        return conversation.current_message_id
    newest: UUID | None = conversation.messages.newest_first().values_list("pk", flat=True).first()
    return newest
