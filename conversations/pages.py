"""What the chat page shows: the context of its templates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from uuid_utils.compat import uuid7

from accounts.models import User
from conversations import llm, markdown
from conversations.models import Conversation, Cursor, Generation, Message, Role
from conversations.thoughts import Thought
from conversations.turns import Turn

CONVERSATIONS_PER_PAGE = 30
MESSAGES_PER_PAGE = 50
EXAMPLES = (
    ("Explain an idea", "Explain how a rainbow forms, in three short sentences."),
    ("Write a message", "Write a short, friendly e-mail that moves a meeting from Monday to Tuesday."),
    ("Get some advice", "Give me five tips for sleeping better."),
    ("Get some code", "Write a Python function that says whether a word is a palindrome."),
)


@dataclass(frozen=True, slots=True)
class ConversationGroup:
    """Conversations under one heading of the list."""

    label: str
    conversations: list[Conversation]


@dataclass(frozen=True, slots=True)
class WindowLine:
    """The line above the oldest message that the model still saw for the newest reply."""

    message: Message
    hides: bool
    """Whether anything stands above the line."""
    cuts: bool
    """Whether of the message below the line only the end was seen."""


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


def last_window(messages: Sequence[Message]) -> Generation | None:
    """The generation of the newest of these replies of which it is known what the model saw."""
    generations = (message.generation for message in reversed(messages) if message.role == Role.ASSISTANT)
    return next((generation for generation in generations if generation.window_start), None)


def newest_window(conversation: Conversation) -> Generation | None:
    """The same of a conversation's newest page. Causes a query."""
    newest = conversation.messages.newest_first()[:MESSAGES_PER_PAGE]
    known = Generation.objects.filter(message__in=newest, window_start__isnull=False)
    return known.order_by("-message__created_at", "-message_id").only("window_start", "window_cut").first()


def window_on_page(
    messages: Sequence[Message], generation: Generation | None, *, has_older: bool
) -> tuple[WindowLine | None, bool]:
    """The line of the generation's window among these messages, oldest first; and whether it is on an older page."""
    start = generation.window_start if generation else None
    first = next((message for message in messages if start and message.created_at >= start), None)
    if generation is None or start is None or first is None:
        return None, False
    if first is messages[0] and has_older and start < first.created_at:
        return None, True
    line = WindowLine(first, hides=has_older or first is not messages[0], cuts=generation.window_cut)
    return (line if line.hides or line.cuts else None), False


def window_at_end(reply: Message) -> WindowLine | None:
    """The line that a reply which has just ended brings or moves. Causes queries only when the window is full."""
    start, cuts = reply.generation.window_start, reply.generation.window_cut
    if start is None or (start <= reply.conversation.created_at and not cuts):
        return None
    messages = reply.conversation.messages
    first = messages.filter(created_at__gte=start).oldest_first().only("created_at").first()
    if first is None:
        return None
    line = WindowLine(first, hides=messages.before(first.cursor).exists(), cuts=cuts)
    return line if line.hides or line.cuts else None


def open_message(conversation: Conversation) -> Message | None:
    """The reply that is still to come, or None."""
    generation = conversation.generations.open().select_related("message").first()
    return generation.message if generation else None


def conversation_list(user: User, after: Cursor | None = None) -> dict[str, Any]:
    """One page of the list of conversations, grouped by day, and the cursor of the next one (empty at the end)."""
    listed = Conversation.objects.owned_by(user).newest_first().after(after)
    conversations = list(listed[: CONVERSATIONS_PER_PAGE + 1])
    shown = conversations[:CONVERSATIONS_PER_PAGE]
    return {
        "conversation_groups": grouped(shown, now=timezone.now()),
        "conversations_cursor": str(shown[-1].cursor) if len(conversations) > len(shown) else "",
    }


def grouped(conversations: Iterable[Conversation], *, now: datetime) -> list[ConversationGroup]:
    """Conversations, newest first, under Today, Yesterday, Previous 7 days, then months, in the reader's time zone."""
    today = timezone.localdate(now)

    def label(conversation: Conversation) -> str:
        day = timezone.localdate(conversation.updated_at)
        if day >= today:
            return "Today"
        if day == today - timedelta(days=1):
            return "Yesterday"
        if day >= today - timedelta(days=7):
            return "Previous 7 days"
        return date_format(day, "F Y")

    return [ConversationGroup(name, list(members)) for name, members in groupby(conversations, key=label)]


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
