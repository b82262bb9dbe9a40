"""Parts of a conversation's branches, as a page shows them."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from django.db.models import TextField
from django.db.models.expressions import RawSQL

from conversations.markdown.budget import PIECE
from conversations.models import Conversation, Message, Role, paths

MESSAGES_PER_PAGE = 50
BYTES_MAX = 1_000_000
"""Bytes of all texts that are read for a page; of each message at least `PIECE` characters are read."""

SIZE = """(octet_length(conversations_message.content) + coalesce(
    octet_length(conversations_generation.thought) + octet_length(conversations_generation.draft), 0))"""
ROOM = f"""greatest({PIECE}, {BYTES_MAX} - coalesce(sum({SIZE}) OVER (
    ORDER BY conversations_message.created_at DESC, conversations_message.id DESC
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
), 0))::int"""
"""SQL for the characters of a message that the newer messages leave room for."""


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive messages of a branch that a page shows."""

    messages: list[Message]
    """The messages of the part, oldest first."""
    cut: frozenset[UUID]
    """The keys of those whose text was not read to its end."""
    has_older: bool
    branch: UUID | None
    """Key of the branch's last message, which may be on another page."""
    is_chosen: bool = True
    """Whether the branch is the chosen one."""

    @property
    def has_newer(self) -> bool:
        """Whether the branch has messages after these."""
        return bool(self.messages) and self.messages[-1].pk != self.branch


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a message among its alternatives."""

    number: int
    """Position of the message, counted from 1."""
    count: int
    first: UUID
    """Key of the oldest alternative, which does not depend on the choice."""
    previous: UUID | None
    next: UUID | None

    @classmethod
    def of(cls, message: Message) -> Self | None:
        """The message's place, or None for a message without alternatives."""
        keys = message.alternatives
        if len(keys) < 2 or message.pk not in keys:
            return None
        at = keys.index(message.pk)
        following = keys[at + 1] if at + 1 < len(keys) else None
        return cls(at + 1, len(keys), keys[0], keys[at - 1] if at else None, following)


def newest(conversation: Conversation) -> Part:
    """The end of the chosen branch. Causes a query or two."""
    end = paths.current_end(conversation)
    messages, cut = _read(paths.upwards(conversation, end, MESSAGES_PER_PAGE + 1))
    return Part(messages[-MESSAGES_PER_PAGE:], cut, len(messages) > MESSAGES_PER_PAGE, end)


def before(conversation: Conversation, message: UUID) -> Part:
    """The messages before one, without it. Raises `Message.DoesNotExist` when the conversation has none."""
    messages, cut = _read(paths.before(conversation, message, MESSAGES_PER_PAGE + 1))
    if not messages:
        raise Message.DoesNotExist
    end = paths.current_end(conversation)
    return Part(messages[-MESSAGES_PER_PAGE:], cut, len(messages) > MESSAGES_PER_PAGE, end)


def around(conversation: Conversation, message: UUID) -> Part:
    """A message with those before and after it. Raises `Message.DoesNotExist` for one of another conversation.

    The branch is the chosen one if the message is on it, else the one through it where the person was last.
    """
    half = MESSAGES_PER_PAGE // 2
    end = paths.current_end(conversation)
    found = paths.place(conversation, end, message, below=half) if end else None
    is_chosen = found is not None
    if not found and (end := paths.last_end(conversation, message)):
        found = paths.place(conversation, end, message, below=half)
    if not found:
        raise Message.DoesNotExist
    place, last = found
    size = MESSAGES_PER_PAGE
    if end and place <= MESSAGES_PER_PAGE:
        # The end is near: the page extends to it, so that nobody has to ask for it.
        last, size = end, place + half
    messages, cut = _read(paths.upwards(conversation, last, size + 1))
    return Part(messages[-size:], cut, len(messages) > size, end, is_chosen)


def _read(keys: RawSQL) -> tuple[list[Message], frozenset[UUID]]:
    """These messages, each with as much of its texts as a page may show: the newest come first to what there is. And
    the keys of those whose text is longer."""
    found = (
        Message.objects.filter(pk__in=keys)
        .select_related("generation", "feedback")
        .with_alternatives()
        .defer("content", "generation__reasoning", "generation__draft")
        .annotate(
            content_shown=_beginning("conversations_message.content"),
            reasoning_shown=_beginning("conversations_generation.thought"),
            draft_shown=_beginning("conversations_generation.draft"),
            content_size=RawSQL("octet_length(conversations_message.content)", ()),  # noqa: S611 (a constant)
        )
    )
    messages = paths.oldest_first(found)
    cut: set[UUID] = set()
    for message in messages:
        read = vars(message)
        message.content = read["content_shown"]
        if len(message.content.encode()) < read["content_size"]:
            cut.add(message.pk)
        if message.role == Role.ASSISTANT:
            message.generation.reasoning, message.generation.draft = read["reasoning_shown"], read["draft_shown"]
    return messages, frozenset(cut)


def _beginning(column: str) -> RawSQL:
    return RawSQL(f"left({column}, {ROOM})", (), TextField())  # noqa: S611 (constants)
