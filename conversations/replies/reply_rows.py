"""Prepared statements that read a reply for its stream, because every viewer waits for them.

They find the same rows as `Message.objects.owned_by`.
"""

from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, models

from accounts.models import User
from chatbot.core import sql
from conversations.models import Conversation, Feedback, Generation, Message
from conversations.models.messages import ALTERNATIVES
from conversations.models.related import relate

PARTS: tuple[type[models.Model], ...] = (Message, Conversation, Generation, Feedback)

OWNED = """
    FROM conversations_message
    JOIN conversations_conversation ON conversations_conversation.id = conversations_message.conversation_id
    JOIN conversations_generation ON conversations_generation.message_id = conversations_message.id
    LEFT JOIN conversations_feedback ON conversations_feedback.message_id = conversations_message.id
    WHERE conversations_message.id = %s AND conversations_message.user_id = %s
        AND conversations_conversation.trashed_at IS NULL
"""


def is_owned(user: User, message_id: UUID) -> bool:
    """Whether the reply exists and belongs to the person. Causes a query."""
    return bool(sql.run(f"SELECT {OWNED}", [message_id, user.pk]))


def find(user: User, message_id: UUID) -> Message | None:
    """The person's reply with conversation, generation, feedback if any, and alternatives. Causes a query."""
    return sql.first(_reply, _selection(), [message_id, user.pk])


def _reply(alternatives: list[UUID], *columns: Any) -> Message:
    values = list(columns)
    message: Message
    message, conversation, generation, feedback = (_instance(model, values) for model in PARTS)
    message.alternatives = alternatives
    message.conversation = generation.conversation = conversation
    message.generation = generation
    relate(message, "feedback", feedback if feedback.pk else None)
    return message


@cache
def _selection() -> str:
    columns = [f"{model._meta.db_table}.{field.column}" for model in PARTS for field in model._meta.concrete_fields]
    return f"SELECT {ALTERNATIVES}, {', '.join(columns)} {OWNED}"  # noqa: S608 (the models' own names)


def _instance(model: type[models.Model], values: list[Any]) -> Any:
    """An instance of the model from the first of the values, which are removed from the list."""
    names, converters = _fields(model)
    own = values[: len(names)]
    del values[: len(names)]
    for place, convert in converters:
        own[place] = convert(own[place], None, connection)
    return model.from_db(connection.alias, names, own)


@cache
def _fields(model: type[models.Model]) -> tuple[list[str], list[tuple[int, Any]]]:
    """Names of the model's fields, and converters for values that differ from the driver's."""
    fields = model._meta.concrete_fields
    converters = [(place, field.from_db_value) for place, field in enumerate(fields) if hasattr(field, "from_db_value")]
    return [field.attname for field in fields], converters
