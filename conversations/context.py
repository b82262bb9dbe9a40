"""Which messages the model sees: the system prompt, then as much of the newest part as fits its window."""

from collections.abc import Iterator

from django.conf import settings

from conversations.llm import ChatMessage
from conversations.models import Message, Role

BYTES_PER_TOKEN = 3
"""UTF-8 bytes per token. English has about four, other scripts three or more: the estimate errs on the safe side."""

TOKENS_PER_MESSAGE = 8
"""What a chat template adds around each message."""

PAGE = 50
"""Messages read at a time."""

REPLY_SHARE = 4
"""One part in four of the window is kept free for the reply."""


def estimate_tokens(text: str) -> int:
    """About how many tokens a message with this text takes, rather too many than too few."""
    return len(text.encode()) // BYTES_PER_TOKEN + 1 + TOKENS_PER_MESSAGE


def messages_for(reply: Message) -> list[ChatMessage]:
    """What to send to the model for `reply`, oldest first. Causes queries.

    The person's newest message is always there, cut at its start when it alone is larger than the window.
    """
    system = settings.CHAT_SYSTEM_PROMPT
    room = settings.CHAT_CONTEXT_TOKENS * (REPLY_SHARE - 1) // REPLY_SHARE
    if system:
        room -= estimate_tokens(system)
    chosen: list[ChatMessage] = []
    for role, content in _said_before(reply):
        cost = estimate_tokens(content)
        if cost > room:
            if not chosen:
                chosen.append(ChatMessage(role, _end_of(content, room)))
            break
        room -= cost
        chosen.append(ChatMessage(role, content))
    chosen = _alternating(chosen)
    # A window that opens with an answer has lost its question; some providers refuse it.
    while len(chosen) > 1 and chosen[-1].role == Role.ASSISTANT:
        chosen.pop()
    if system:
        chosen.append(ChatMessage("system", system))
    return chosen[::-1]


def _said_before(reply: Message) -> Iterator[tuple[str, str]]:
    """Roles and texts before `reply`, newest first, without the replies that have no text."""
    cursor = reply.cursor
    earlier = Message.objects.filter(conversation_id=reply.conversation_id).newest_first()
    while page := list(earlier.before(cursor).only("role", "content", "created_at")[:PAGE]):
        yield from ((message.role, message.content) for message in page if message.content)
        cursor = page[-1].cursor


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
