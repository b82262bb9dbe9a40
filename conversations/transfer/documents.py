"""Fields of an exported conversation, as JSON values: see docs/export-format.md."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from conversations.models import Conversation, Feedback, Generation, Message, Role
from conversations.models.steps import records_of, steps_of

FORMAT = "chatbot-conversations"
VERSION = 1
"""Version of the format; it rises when a reader of the last version would misread the file, not for new fields."""


def conversation_fields(conversation: Conversation) -> dict[str, Any]:
    """A conversation's fields without its messages."""
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "created_at": written(conversation.created_at),
        "updated_at": written(conversation.updated_at),
        "model": conversation.model,
        "system_prompt": conversation.system_prompt,
        "temperature": conversation.temperature,
        "tools_off": conversation.tools_off,
        "current_message": written_key(conversation.current_message_id),
        "pinned_at": written(conversation.pinned_at),
        "archived_at": written(conversation.archived_at),
    }


def message_fields(message: Message) -> dict[str, Any]:
    """A message's fields, an assistant's with its generation; an open reply has the text of its last checkpoint."""
    fields = {
        "id": str(message.pk),
        "parent": written_key(message.parent_id),
        "role": message.role,
        "content": message.text_so_far,
        "tool_calls": calls_of(message),
        "created_at": written(message.created_at),
        "chosen_at": written(message.chosen_at),
    }
    if generation := generation_of(message):
        fields["generation"] = generation_fields(generation)
    if feedback := feedback_of(message):
        fields["feedback"] = feedback_fields(feedback)
    return fields


def calls_of(message: Message) -> Any:
    """What the message recorded of its tool calls; of an open reply, its calls so far, which causes a query."""
    generation = generation_of(message)
    if generation and generation.is_open and generation.rounds:
        return records_of(steps_of(message))
    return message.tool_calls


def generation_fields(generation: Generation) -> dict[str, Any]:
    """Fields of a generation: how a reply was made."""
    return {
        "status": generation.status,
        "model": generation.model,
        "thought": generation.reasoning,
        "thought_seconds": generation.reasoning_seconds,
        "finish_reason": generation.finish_reason,
        "error_code": generation.error_code,
        "error_params": generation.error_params,
        "error": generation.sentence,
        "prompt_tokens": generation.prompt_tokens,
        "completion_tokens": generation.completion_tokens,
        "cached_tokens": generation.cached_tokens,
        "reasoning_tokens": generation.reasoning_tokens,
        "window_start": written(generation.window_start),
        "window_cut": generation.window_cut,
        "started_at": written(generation.started_at),
        "first_token_at": written(generation.first_token_at),
        "finished_at": written(generation.finished_at),
    }


def feedback_fields(feedback: Feedback) -> dict[str, Any]:
    """Fields of a person's feedback on an answer."""
    return {
        "rating": feedback.rating,
        "comment": feedback.comment,
        "created_at": written(feedback.created_at),
        "updated_at": written(feedback.updated_at),
    }


def generation_of(message: Message) -> Generation | None:
    """The message's generation; None for a person's message. Causes a query unless it was selected with the message."""
    return getattr(message, "generation", None) if message.role == Role.ASSISTANT else None


def feedback_of(message: Message) -> Feedback | None:
    """The person's feedback on the message, or None. Causes a query unless it was selected with the message."""
    return getattr(message, "feedback", None)


def written_key(key: UUID | None) -> str | None:
    """A key as text, or None."""
    return str(key) if key else None


def written(time: datetime | None) -> str | None:
    """A time in UTC, in ISO 8601, or None."""
    return time.astimezone(UTC).isoformat() if time else None
