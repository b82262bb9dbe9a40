"""Believable conversations in any number, written by COPY: for demonstrations, screenshots and measurements."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched, pairwise
from random import Random
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.models import User
from chatbot.core import sql
from conversations.errors.providers import ProviderUnreachable
from conversations.models import Conversation, Feedback, Generation, Message, Rating, Role, Status
from conversations.upkeep.seeding_texts import (
    ANSWERS,
    CODE,
    COMMENTS,
    FIRST_NAMES,
    LAST_NAMES,
    QUESTIONS,
    REASONING,
    TOPICS,
)

CONVERSATIONS_AT_A_TIME = 200
SECONDS_A_MESSAGE = 120
"""Seconds between two messages of a conversation."""

PINNED_MAX = 3
"""Most pinned conversations of one person."""

DAYS = 365
"""Days back from now over which conversations are spread."""

STATUSES = (Status.COMPLETE.value, Status.STOPPED.value, Status.FAILED.value)
MODELS = ("gpt-5-mini", "gpt-5", "llama-4-scout")


@dataclass(slots=True)
class Rows:
    """Rows that are written together."""

    conversations: list[Conversation] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    generations: list[Generation] = field(default_factory=list)
    feedback: list[Feedback] = field(default_factory=list)
    pinned: Counter[UUID] = field(default_factory=Counter)
    """Number of pinned conversations per person so far."""


def people(count: int, *, chance: Random, password: str | None = None) -> list[UUID]:
    """Store `count` new people, with one common password if given; returns their keys."""
    mark = uuid7().hex[-6:]
    hashed = make_password(password)
    users: list[Model] = []
    for number in range(count):
        name = f"{chance.choice(FIRST_NAMES)}.{chance.choice(LAST_NAMES)}".lower()
        joined = timezone.now() - timedelta(days=DAYS + chance.random() * DAYS)
        users.append(User(email=f"{name}.{mark}{number}@example.org", password=hashed, date_joined=joined))
    for some in batched(users, 10_000):
        with transaction.atomic():
            copy(some)
    return [user.pk for user in users]


def fill(owners: Sequence[UUID], *, conversations: int, messages: int, chance: Random) -> Iterator[int]:
    """Store conversations of these people with `messages` messages in all; yields the number of messages per batch.

    A few people write most, and a few conversations are long. Memory use does not grow with the numbers.
    """
    left, pinned = messages, Counter[UUID]()
    for numbers in batched(range(conversations), CONVERSATIONS_AT_A_TIME):
        rows = Rows(pinned=pinned)
        for number in numbers:
            others = conversations - number - 1
            # A skewed length around the mean of what is left, with two messages reserved for each conversation to come.
            length = round(left / (others + 1) * chance.lognormvariate(-0.32, 0.8) / 2) * 2
            length = max(min(length, left - 2 * others), 2) if others else max(left, 2)
            left -= length
            owner = owners[math.floor(len(owners) * chance.random() ** 2)]
            _converse(rows, owner, length, chance)
        with transaction.atomic():
            copy(rows.conversations)
            copy(rows.messages)
            copy(rows.generations)
            copy(rows.feedback)
            _choose(rows)
        yield len(rows.messages)


def copy(rows: Iterable[Model]) -> None:
    """Store rows of one model that have all their columns set."""
    rows = list(rows)
    if not rows:
        return
    meta = rows[0]._meta
    columns = [(column.attname, str(column.column), column) for column in meta.concrete_fields]
    names = ", ".join(name for _, name, _ in columns)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {meta.db_table} ({names}) FROM STDIN") as target,
    ):
        for row in rows:
            target.write_row([getattr(row, attribute) for attribute, _, _ in columns])


def _converse(rows: Rows, owner: UUID, length: int, chance: Random) -> None:
    """Add a conversation of `length` messages."""
    # Even a long conversation ended before now.
    began = timezone.now() - timedelta(days=1 + DAYS * chance.random() ** 1.5, seconds=length * SECONDS_A_MESSAGE)
    topic = chance.choice(TOPICS)
    conversation = Conversation(
        pk=_key(began), user_id=owner, title=_question(topic, chance)[:80].rstrip(), created_at=began
    )
    said_at, said = began, list[Message]()
    for number in range(length):
        is_answer = bool(number % 2)
        text = _answer(topic, chance) if is_answer else conversation.title if not number else _question(topic, chance)
        role = Role.ASSISTANT.value if is_answer else Role.USER.value
        message = Message(pk=_key(said_at), conversation=conversation, user_id=owner, role=role)
        message.content, message.created_at = text, said_at
        said.append(message)
        if is_answer:
            _make(rows, message, chance)
        said_at += timedelta(seconds=2 if not is_answer else chance.expovariate(1 / SECONDS_A_MESSAGE))
    for before, after in pairwise(said):
        after.parent_id = before.pk
    conversation.updated_at = said[-1].created_at
    if chance.random() < 0.03 and rows.pinned[owner] < PINNED_MAX:
        rows.pinned[owner] += 1
        conversation.pinned_at = conversation.updated_at
    elif chance.random() < 0.1:
        conversation.archived_at = conversation.updated_at
    rows.conversations.append(conversation)
    rows.messages.extend(said)


def _make(rows: Rows, message: Message, chance: Random) -> None:
    """Add an answer's generation and, for some answers, feedback."""
    started = message.created_at + timedelta(seconds=chance.lognormvariate(-4, 0.7))
    first = started + timedelta(seconds=chance.lognormvariate(-0.5, 0.6))
    ended = first + timedelta(seconds=len(message.content) / 300)
    generation = Generation(
        message=message,
        conversation_id=message.conversation_id,
        status=chance.choices(STATUSES, [96, 2.5, 1.5])[0],
        model=chance.choices(MODELS, [6, 3, 1])[0],
        prompt_tokens=chance.randint(60, 4_000),
        completion_tokens=len(message.content) // 4,
        worker="seed",
        heartbeat_at=ended,
        started_at=started,
        first_token_at=first,
        finished_at=ended,
    )
    if generation.status == Status.FAILED:
        generation.error_code = ProviderUnreachable.code
    if chance.random() < 0.1:
        generation.reasoning, generation.reasoning_seconds = chance.choice(REASONING), chance.uniform(0.5, 9)
    rows.generations.append(generation)
    if chance.random() < 0.04:
        rating = Rating.UP.value if chance.random() < 0.8 else Rating.DOWN.value
        comment = "" if rating == Rating.UP else chance.choice(COMMENTS)
        given = Feedback(message=message, user_id=message.user_id, rating=rating, comment=comment)
        given.created_at = given.updated_at = ended + timedelta(seconds=20)
        rows.feedback.append(given)


def _choose(rows: Rows) -> None:
    """Make the last message the current one of each conversation."""
    ends = {message.conversation_id: message.pk for message in rows.messages}
    sql.run(
        "UPDATE conversations_conversation AS conversation SET current_message_id = ends.message"
        " FROM unnest(%s::uuid[], %s::uuid[]) AS ends (conversation, message)"
        " WHERE conversation.id = ends.conversation",
        [list(ends), list(ends.values())],
    )


def _key(time: datetime) -> UUID:
    """A UUIDv7 of this time, so that keys have the order of times."""
    milliseconds = int(time.timestamp() * 1_000)
    return UUID(int=milliseconds << 80 | uuid7().int & (1 << 80) - 1)


def _question(topic: str, chance: Random) -> str:
    return chance.choice(QUESTIONS).format(topic=topic)


def _answer(topic: str, chance: Random) -> str:
    paragraphs = [chance.choice(ANSWERS).format(topic=topic) for _ in range(chance.randint(1, 3))]
    if chance.random() < 0.15:
        paragraphs.append(chance.choice(CODE))
    return "\n\n".join(paragraphs)
