"""Facts about conversations that reveal nothing of their messages."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chatbot.core import sql
from conversations.models import OPEN, listed

MESSAGES_MAX = 500
"""Messages of a conversation that a list counts, and whose tokens it adds up."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a list shows of a conversation besides its own columns."""

    messages: int = 0
    """Number of messages, at most `MESSAGES_MAX`."""
    tokens: int = 0
    """Tokens of these messages: prompts and answers."""
    status: str = ""
    """Status of the last reply; the following fields are of that reply, too."""
    model: str = ""
    error_code: str = ""

    @property
    def is_more(self) -> bool:
        """Whether there are more messages than were counted."""
        return self.messages >= MESSAGES_MAX


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything that is removed with a conversation."""

    key: UUID
    email: str
    messages: int
    characters: int
    """Characters of messages and reasoning."""
    feedback: int
    running: int
    """Number of replies that are open."""
    calls: int
    """Number of tool calls, not of those that only a message has recorded."""


FACTS = f"""
    SELECT conversation.id, said.messages, said.tokens, coalesce(last.status, ''), coalesce(last.model, ''),
        coalesce(last.error_code, '')
    FROM conversations_conversation AS conversation
    LEFT JOIN conversations_generation AS last ON last.message_id = conversation.current_message_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS messages,
            coalesce(sum(coalesce(made.prompt_tokens, 0) + coalesce(made.completion_tokens, 0)), 0) AS tokens
        FROM (
            SELECT id FROM conversations_message WHERE conversation_id = conversation.id
            ORDER BY created_at DESC, id DESC LIMIT {MESSAGES_MAX}
        ) AS newest
        LEFT JOIN conversations_generation AS made ON made.message_id = newest.id
    ) AS said
    WHERE conversation.id = ANY(%s)
"""  # noqa: S608 (a constant)

CONTENTS = f"""
    SELECT conversation.id, person.email, count(said.id),
        coalesce(sum(length(said.content) + coalesce(length(made.thought) + length(made.draft), 0)), 0),
        count(given.message_id),
        count(*) FILTER (WHERE made.status IN {listed(OPEN)}),
        coalesce(sum((SELECT count(*) FROM conversations_toolcall AS call WHERE call.message_id = said.id)), 0)
    FROM conversations_conversation AS conversation
    JOIN accounts_user AS person ON person.id = conversation.user_id
    LEFT JOIN conversations_message AS said ON said.conversation_id = conversation.id
    LEFT JOIN conversations_generation AS made ON made.message_id = said.id
    LEFT JOIN conversations_feedback AS given ON given.message_id = said.id
    WHERE conversation.id = ANY(%s)
    GROUP BY conversation.id, person.email, conversation.updated_at ORDER BY conversation.updated_at DESC
"""  # noqa: S608 (a constant)


def facts_of(keys: Collection[UUID]) -> dict[UUID, Facts]:
    """Facts of these conversations by key. Causes a query whose cost is bounded, however long they are."""
    return dict(sql.rows(_facts, FACTS, [list(keys)]))


def _facts(key: UUID, *facts: Any) -> tuple[UUID, Facts]:
    return key, Facts(*facts)


def contents_of(keys: Collection[UUID]) -> list[Contents]:
    """Contents of these conversations. Causes a query that reads all of them."""
    return sql.rows(Contents, CONTENTS, [list(keys)])
