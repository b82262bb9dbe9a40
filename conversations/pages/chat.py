"""The chat page."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.safestring import SafeString
from uuid_utils.compat import uuid7

from accounts.models import User
from conversations import llm, markdown
from conversations.models import Conversation, Cursor, Message, Role
from conversations.pages.windows import MESSAGES_PER_PAGE, last_window, newest_window, window_at_end, window_on_page
from conversations.thoughts import Thought
from conversations.turns import Turn

EXAMPLES = (
    ("Explain an idea", "Explain how a rainbow forms, in three short sentences."),
    ("Write a message", "Write a short, friendly e-mail that moves a meeting from Monday to Tuesday."),
    ("Get some advice", "Give me five tips for sleeping better."),
    ("Get some code", "Write a Python function that says whether a word is a palindrome."),
)


def chat_context(
    user: User, conversation: Conversation | None = None, *, before: Cursor | None = None
) -> dict[str, Any]:
    """The chat page's main part: a conversation with its newest messages, or those before a cursor; or a new chat."""
    context = composer_context(conversation)
    if conversation is None:
        return context | {"greeting": greeting(), "examples": [{"title": t, "prompt": p} for t, p in EXAMPLES]}
    page = message_page(conversation, before)
    messages = page["messages"]
    # What is shown decides: a reply that ends between two queries would leave a page that waits for nothing.
    is_open = [message for message in messages if message.role == Role.ASSISTANT and message.generation.is_open]
    return (
        context
        | page
        | {
            "open_message": open_message(conversation) if before else (is_open or [None])[0],
            "seen": messages[-1].pk if messages and not before else None,
        }
    )


def composer_context(conversation: Conversation | None) -> dict[str, Any]:
    """What the composer needs, with a fresh key for the next turn."""
    return {
        "conversation": conversation,
        "turn": uuid7(),
        "is_demo": llm.is_demo(),
        "message_max_chars": settings.CHAT_MESSAGE_MAX_CHARS,
    }


def turn_context(turn: Turn) -> dict[str, Any]:
    """What an answer to a turn needs: its two messages and the composer."""
    with_html([turn.reply])
    return composer_context(turn.conversation) | {
        "messages": [turn.message, turn.reply],
        "seen": turn.reply.pk,
        "open_message": turn.reply if turn.reply.generation.is_open else None,
    }


def message_context(message: Message) -> dict[str, Any]:
    """What one reply needs, with its actions."""
    with_html([message])
    return composer_context(message.conversation) | {
        "message": message,
        "window": window_at_end(message),
        "open_message": message if message.generation.is_open else None,
    }


def message_page(conversation: Conversation, before: Cursor | None = None) -> dict[str, Any]:
    """The newest messages before a cursor, oldest first, and the cursor of what is older (empty at the beginning).

    The model's window costs nothing to show on the newest page, one more query on the others.
    """
    newest = conversation.messages.select_related("generation").newest_first().before(before)
    messages = list(newest[: MESSAGES_PER_PAGE + 1])
    older = str(messages[MESSAGES_PER_PAGE - 1].cursor) if len(messages) > MESSAGES_PER_PAGE else ""
    shown = messages[:MESSAGES_PER_PAGE][::-1]
    with_html(shown)
    window = newest_window(conversation) if before else last_window(shown)
    line, is_older = window_on_page(shown, window, has_older=bool(older))
    return {"messages": shown, "older_cursor": older, "window": line, "window_is_older": is_older}


def open_message(conversation: Conversation) -> Message | None:
    """The reply that is still to come, or None."""
    generation = conversation.generations.open().select_related("message").first()
    return generation.message if generation else None


def greeting() -> str:
    """A greeting for the reader's time of day."""
    hour = timezone.localtime().hour
    if 5 <= hour < 12:
        return "Good morning"
    return "Good afternoon" if 12 <= hour < 18 else "Good evening"


def with_html(messages: Sequence[Message]) -> None:
    """Give each reply its `html`, what it says, rendered and sanitised, and its `thought`."""
    for message in messages:
        if message.role == Role.ASSISTANT:
            message.html = html_of(message)
            message.thought = Thought(message.generation.thought, message.generation.thought_seconds)


def html_of(message: Message) -> SafeString:
    """A reply's text as safe HTML; of an open one, what the last checkpoint has."""
    generation = message.generation
    return markdown.render(generation.draft if generation.is_open else message.content)
