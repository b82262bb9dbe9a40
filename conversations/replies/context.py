"""The model's window: the system prompt, then as many of the newest messages as fit."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

from chatbot.core import sql
from conversations.llm.service import ChatMessage, Usage
from conversations.models import Message, Role, paths
from conversations.models.steps import Step
from conversations.replies import earlier

BYTES_PER_TOKEN = 3
"""UTF-8 bytes per token. English has about four, other scripts three or more: estimates are rather too high."""

TOKENS_PER_MESSAGE = 8
"""Tokens that a chat template adds to each message."""

PAGE, PAGE_MAX = 50, 800
"""Messages read by the first query and at most by one; each query reads more, so that large windows need few."""

REPLY_SHARE = 4
"""The part of the window, one in four, that is reserved for the reply."""


def estimate_tokens(text: str) -> int:
    """Approximate number of tokens of a message with this text, rather too high than too low."""
    return len(text.encode()) // BYTES_PER_TOKEN + 1 + TOKENS_PER_MESSAGE


def tokens_used(asked: Iterable[ChatMessage], answered: str, usage: Usage | None, *, stopped: bool = False) -> int:
    """Tokens that one answer counts toward the limits: the provider's counts, or estimates without them.

    Estimates use what was `asked` and `answered`, also for an answer that was `stopped`. 0 for an empty answer that
    nobody stopped.
    """
    if not usage and not answered and not stopped:
        return 0
    prompt, completion = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
    if not prompt:
        prompt = tokens_of(asked)
    return prompt + (completion or (estimate_tokens(answered) if answered else 0))


@dataclass(frozen=True, slots=True)
class Window:
    """What the model gets for one reply."""

    messages: list[ChatMessage]
    """The messages, oldest first, after the system prompt."""
    start: datetime | None
    """Time of the oldest of them; None without any."""
    is_cut: bool
    """Whether the newest message alone exceeds the window, and is cut at its start."""
    temperature: float | None = None
    """The conversation's temperature; None for the provider's default."""


def available() -> int:
    """Tokens of the window for all that the model is sent, without the part for its reply."""
    return int(settings.CHAT_CONTEXT_TOKENS) * (REPLY_SHARE - 1) // REPLY_SHARE


GO_ON = (
    "Your last message broke off. Go on exactly where it ended, in the middle of the word if it ended there. Repeat "
    "nothing of it, and say nothing about going on."
)
"""Last message of a window that continues a reply; every server accepts such a message.

Fields for an answer that begins with given text differ between servers, and the others refuse them.
"""


def window_for(
    reply: Message, *, begun: str = "", offered: Mapping[str, Any] | None = None, reserved: int = 0
) -> Window:
    """The window for `reply`, which continues the text `begun` if there is any. Causes queries.

    With tools `offered`, as a field of the request, earlier tool calls are in the window with their results, in which a
    reply has all of its calls or none: no call is parted from its result. `reserved` tokens are left free for what
    follows: the reply's own rounds.

    The site's system prompt and the conversation's instructions come first, cut at their end when they exceed half the
    window. The person's newest message is always included, cut at its start when it alone exceeds the rest; the text
    `begun` is cut in that way at half of the rest.
    """
    conversation = reply.conversation
    room = available() - reserved - tokens_offered(offered)
    said_first = "\n\n".join(filter(None, (settings.CHAT_SYSTEM_PROMPT, conversation.system_prompt)))
    system = _start_of(said_first, room // 2)
    if system:
        room -= estimate_tokens(system)
    last = going_on(begun, room // 2) if begun else []
    room -= sum(estimate_tokens(message.content) for message in last)
    chosen, is_cut = _chosen(_said_before(reply, with_calls=bool(offered)), room)
    messages = _alternating(last[::-1] + [message for said in chosen for message in reversed(said.messages)])
    if system:
        messages.append(ChatMessage("system", system))
    start = chosen[-1].created_at if chosen else None
    return Window(messages[::-1], start, is_cut, conversation.temperature)


def going_on(begun: str, tokens: int) -> list[ChatMessage]:
    """The last messages of a window that continues the text `begun`, which is cut at its start to fit these tokens."""
    tokens -= estimate_tokens(GO_ON)
    return [ChatMessage("assistant", _end_of(begun, tokens)), ChatMessage("user", GO_ON)]


def tokens_of(messages: Iterable[ChatMessage]) -> int:
    """Approximate number of tokens of these messages with their further fields."""
    return sum(estimate_tokens(message.content) + _more(message) for message in messages)


def tokens_offered(offered: Mapping[str, Any] | None) -> int:
    """Approximate number of tokens of the tools that a request offers."""
    return tokens_of_json(offered) if offered else 0


def tokens_of_json(value: Mapping[str, Any]) -> int:
    """Approximate number of tokens of a field of the request."""
    return len(json.dumps(value).encode()) // BYTES_PER_TOKEN


def _more(message: ChatMessage) -> int:
    return tokens_of_json(message.more) if message.more else 0


class Said(NamedTuple):
    """The parts of a message that the model gets."""

    role: str
    content: str
    created_at: datetime
    parent_id: UUID | None
    key: UUID
    has_calls: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """A stored message in the window."""

    role: str
    created_at: datetime
    messages: Sequence[ChatMessage]
    """What the model gets of it, oldest first."""


def _chosen(said_before: Iterable[tuple[Said, Sequence[Step]]], room: int) -> tuple[list[Chosen], bool]:
    """Those of the messages that fit, newest first, and whether the first of them is cut."""
    chosen: list[Chosen] = []
    is_cut = False
    for said, steps in said_before:
        plain = [ChatMessage(said.role, said.content)] if said.content else []
        messages = earlier.messages(said.key, said.content, steps) if steps else plain
        cost = tokens_of(messages)
        if steps and cost > room:
            # Without its calls, the model still has its answer, and what was said before.
            messages, cost = plain, tokens_of(plain)
        if cost > room:
            if not chosen:
                is_cut = True
                messages = [ChatMessage(said.role, _end_of(said.content, room))]
                chosen.append(Chosen(said.role, said.created_at, messages))
            break
        room -= cost
        if messages:
            chosen.append(Chosen(said.role, said.created_at, messages))
    # A window that opens with an answer lacks its question; some providers refuse it.
    while len(chosen) > 1 and chosen[-1].role == Role.ASSISTANT:
        chosen.pop()
    return chosen, is_cut


def _said_before(reply: Message, *, with_calls: bool) -> Iterator[tuple[Said, Sequence[Step]]]:
    """The messages before `reply`, newest first, each with its tool calls if they are wanted.

    Leaves out replies without text, unless they have such calls.
    """
    end = reply.parent_id
    size = PAGE
    while end:
        page = _page(end, size)
        acted = [said.key for said in page if said.has_calls] if with_calls else []
        steps = earlier.read(acted, most=available() * BYTES_PER_TOKEN) if acted else {}
        yield from ((said, steps.get(said.key, ())) for said in page if said.content or said.key in steps)
        end = page[-1].parent_id if page else None
        size = min(2 * size, PAGE_MAX)


SAID = paths.walk(
    "id = %s",
    "SELECT role, content, created_at, parent_id, id, tool_calls IS NOT NULL FROM path ORDER BY depth",
    further="path.depth < %s",
    columns=("role", "content", "created_at", "parent_id", "id", "tool_calls"),
)


def _page(end: UUID, size: int) -> list[Said]:
    """The last messages up to the one with this key, itself first. Causes a query."""
    return sql.rows(Said, SAID, [end, size])


def _alternating(messages: list[ChatMessage]) -> list[ChatMessage]:
    """The messages, newest first, with consecutive ones of the same role joined: some models refuse those.

    Calls and results of tools stay as they are.
    """
    joined: list[ChatMessage] = []
    for message in messages:
        if joined and joined[-1].role == message.role and not (joined[-1].more or message.more):
            joined[-1] = ChatMessage(message.role, f"{message.content}\n\n{joined[-1].content}")
        else:
            joined.append(message)
    return joined


def _start_of(text: str, tokens: int) -> str:
    room = max(1, tokens - TOKENS_PER_MESSAGE - 1) * BYTES_PER_TOKEN
    return text.encode()[:room].decode(errors="ignore")


def _end_of(text: str, tokens: int) -> str:
    room = max(1, tokens - TOKENS_PER_MESSAGE - 1) * BYTES_PER_TOKEN
    return text.encode()[-room:].decode(errors="ignore")
