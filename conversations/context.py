"""Which messages the model sees: the system prompt, then as much of the newest part as fits its window."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from conversations.llm import ChatMessage
from conversations.models import Message, Role

BYTES_PER_TOKEN = 3
"""UTF-8 bytes per token. English has about four, other scripts three or more: the estimate errs on the safe side."""

TOKENS_PER_MESSAGE = 8
"""What a chat template adds around each message."""

PAGE, PAGE_MAX = 50, 800
"""Messages read at a time: more each time, so that a large window of short messages takes few queries."""

REPLY_SHARE = 4
"""One part in four of the window is kept free for the reply."""


def estimate_tokens(text: str) -> int:
    """About how many tokens a message with this text takes, rather too many than too few."""
    return len(text.encode()) // BYTES_PER_TOKEN + 1 + TOKENS_PER_MESSAGE


@dataclass(frozen=True, slots=True)
class Window:
    """What the model sees for one reply."""

    messages: list[ChatMessage]
    """Oldest first, the system prompt before them."""
    start: datetime | None
    """When the oldest of them was said; None when there is none."""
    is_cut: bool
    """Whether that one alone is larger than the window, and cut at its start."""


def window_for(reply: Message) -> Window:
    """What to send to the model for `reply`. Causes queries.

    The person's newest message is always there, cut at its start when it alone is larger than the window.
    """
    system = settings.CHAT_SYSTEM_PROMPT
    room = settings.CHAT_CONTEXT_TOKENS * (REPLY_SHARE - 1) // REPLY_SHARE
    if system:
        room -= estimate_tokens(system)
    chosen: list[Message] = []
    is_cut = False
    for message in _said_before(reply):
        cost = estimate_tokens(message.content)
        if cost > room:
            if not chosen:
                is_cut = True
                message.content = _end_of(message.content, room)
                chosen.append(message)
            break
        room -= cost
        chosen.append(message)
    # A window that opens with an answer has lost its question; some providers refuse it.
    while len(chosen) > 1 and chosen[-1].role == Role.ASSISTANT:
        chosen.pop()
    messages = _alternating([ChatMessage(message.role, message.content) for message in chosen])
    if system:
        messages.append(ChatMessage("system", system))
    return Window(messages[::-1], chosen[-1].created_at if chosen else None, is_cut)


def _said_before(reply: Message) -> Iterator[Message]:
    """Messages before `reply`, newest first, without the replies that have no text."""
    cursor = reply.cursor
    size = PAGE
    earlier = Message.objects.filter(conversation_id=reply.conversation_id).newest_first()
    while page := list(earlier.before(cursor).only("role", "content", "created_at")[:size]):
        yield from (message for message in page if message.content)
        if len(page) < size:
            return
        cursor = page[-1].cursor
        size = min(2 * size, PAGE_MAX)


def _alternating(messages: list[ChatMessage]) -> list[ChatMessage]:
    """The same, newest first, with what one side said twice in a row joined: some models refuse it otherwise."""
    joined: list[ChatMessage] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            joined[-1] = ChatMessage(message.role, f"{message.content}\n\n{joined[-1].content}")
        else:
            joined.append(message)
    return joined


def _end_of(text: str, tokens: int) -> str:
    room = max(1, tokens - TOKENS_PER_MESSAGE - 1) * BYTES_PER_TOKEN
    return text.encode()[-room:].decode(errors="ignore")
