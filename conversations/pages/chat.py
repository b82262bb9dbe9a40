"""Contexts of the chat page and its parts."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.models import User
from conversations.actions.turns import Turn
from conversations.llm import model_choices
from conversations.llm import service as llm
from conversations.models import Conversation, Message, Role
from conversations.pages import branches
from conversations.pages.approvals import waiting_now
from conversations.pages.configurations import picker
from conversations.pages.dressing import dress
from conversations.pages.windows import last_window, newest_window, window_at_end, window_on_page

EXAMPLES = (
    ("Explain an idea", "Explain how a rainbow forms, in three short sentences."),
    ("Write a message", "Write a short, friendly e-mail that moves a meeting from Monday to Tuesday."),
    ("Get some advice", "Give me five tips for sleeping better."),
    ("Get some code", "Write a Python function that says whether a word is a palindrome."),
)


def chat_context(
    user: User, conversation: Conversation | None = None, *, before: UUID | None = None, at: UUID | None = None
) -> dict[str, Any]:
    """Context of the chat page's main part: a new chat, or the part of a conversation that `message_page` selects."""
    context = composer_context(conversation)
    if conversation is None:
        return context | {"greeting": greeting(), "examples": [{"title": t, "prompt": p} for t, p in EXAMPLES]}
    context |= picker(conversation.model)
    page = message_page(conversation, before=before, at=at)
    messages = [shown.message for shown in page["messages"]]
    # Taken from the shown messages: a reply that ends between two queries would leave a page that waits for nothing.
    is_open = [message for message in messages if message.role == Role.ASSISTANT and message.generation.is_open]
    return (
        context
        | page
        | {
            "open_message": open_message(conversation) if page["has_newer"] else (is_open or [None])[0],
            "seen": messages[-1].pk if messages else None,
            "elsewhere": not page["is_chosen"],
        }
    )


def composer_context(conversation: Conversation | None) -> dict[str, Any]:
    """Context of the composer, with a new key for the next turn."""
    return {
        "conversation": conversation,
        "turn": uuid7(),
        "act_turn": uuid7(),
        "several_models": len(model_choices.choices()) > 1,
        "is_demo": llm.is_demo(),
        "message_max_chars": settings.CHAT_MESSAGE_MAX_CHARS,
    }


def turn_context(turn: Turn) -> dict[str, Any]:
    """Context of the response to a turn: its two messages and the composer."""
    context = composer_context(turn.conversation)
    if turn.is_first:
        context |= picker(turn.conversation.model)
    return context | {
        "messages": dress([turn.message, turn.reply], are_alone=True),
        "seen": turn.reply.pk,
        "open_message": turn.reply if turn.reply.generation.is_open else None,
        "standing": turn.standing,
    }


def message_context(message: Message) -> dict[str, Any]:
    """Context of one reply that has just ended, or begins again; the message must be read `with_alternatives`."""
    context = shown_context(message) | {
        "window": window_at_end(message),
        "open_message": message if message.generation.is_open else None,
    }
    # Only a reply with tool calls can have changed how many wait.
    if message.generation.rounds:
        context["approvals_count"] = waiting_now(message.user)
    return context


def shown_context(message: Message) -> dict[str, Any]:
    """What a message needs that is shown by itself; read `with_alternatives`."""
    (shown,) = dress([message])
    return composer_context(message.conversation) | {"message": message, "shown": shown}


def message_page(conversation: Conversation, *, before: UUID | None = None, at: UUID | None = None) -> dict[str, Any]:
    """A part of a branch, and the cursor of older messages (empty at the beginning).

    The part is what precedes the message `before`, or surrounds the one `at`; by default the end of the chosen branch.
    The line of the model's window costs one query, none where the branch ends. Raises `Message.DoesNotExist`.
    """
    if before:
        part = branches.before(conversation, before)
    else:
        part = branches.around(conversation, at) if at else branches.newest(conversation)
    messages = part.messages
    window = newest_window(conversation, part) if part.has_newer else last_window(messages)
    line, is_older = window_on_page(messages, window, has_older=part.has_older)
    return {
        "messages": dress(messages, cut=part.cut),
        "older_cursor": messages[0].pk if part.has_older else "",
        "has_newer": part.has_newer,
        "is_chosen": part.is_chosen,
        "window": line,
        "window_is_older": is_older,
    }


def editing_context(message: Message, text: str | None = None) -> dict[str, Any]:
    """Context of the form that edits a person's message; with `text` instead of the message's own, if given."""
    return {
        "editing": message,
        "edited": message.content if text is None else text,
        "form_turn": uuid7(),
        "form_turn_id": f"turn-{message.pk}",
    }


def regenerating_context(reply: Message) -> dict[str, Any]:
    """Context of the form that asks another model; the first different model is preselected."""
    models = model_choices.choices()
    return {
        "regenerating": reply,
        "models": models,
        "other_model": next((name for name in models if name != reply.generation.model), ""),
        "form_turn": uuid7(),
        "form_turn_id": f"turn-{reply.pk}",
    }


def open_message(conversation: Conversation) -> Message | None:
    """The conversation's open reply, or None. Causes a query."""
    generation = conversation.generations.open().select_related("message").first()
    return generation.message if generation else None


def greeting() -> str:
    """A greeting for the time of day in the reader's time zone."""
    hour = timezone.localtime().hour
    if 5 <= hour < 12:
        return "Good morning"
    return "Good afternoon" if 12 <= hour < 18 else "Good evening"
