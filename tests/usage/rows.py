"""Replies of chosen times, to be counted."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from accounts.models import User
from conversations.models import Generation, Message, Role, Status
from tests.factories import ConversationFactory

NOW = datetime(2026, 5, 20, 12, 34, 56, tzinfo=UTC)
CODES = ("", "", "", "timeout", "unreachable")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def replies(people: list[User], times: list[datetime], **fields: object) -> list[Generation]:
    """Replies that were asked for at these times, by these people in turn, each made in some seconds."""
    chance = random.Random(len(times))  # noqa: S311 (nothing secret)
    conversations = [ConversationFactory.create(user=user) for user in people]
    made: list[Generation] = []
    for number, at in enumerate(times):
        conversation = conversations[number % len(people)]
        key = UUID(int=int(at.timestamp() * 1_000) << 80 | uuid7().int & (1 << 80) - 1)
        message = Message(
            id=key, conversation=conversation, user=conversation.user, role=Role.ASSISTANT, content="a", created_at=at
        )
        started = at + timedelta(milliseconds=chance.lognormvariate(3, 1))
        code = chance.choice(CODES)
        generation = Generation(
            message=message,
            conversation=conversation,
            status=Status.FAILED if code else chance.choice((Status.COMPLETE, Status.STOPPED)),
            error_code=code,
            model=chance.choice(("small", "large")),
            prompt_tokens=chance.choice((None, 100, 2_000)),
            completion_tokens=chance.choice((None, 50, 700)),
            heartbeat_at=started,
            started_at=started,
            first_token_at=None if code else started + timedelta(seconds=chance.lognormvariate(-0.5, 0.8)),
            finished_at=started + timedelta(seconds=30),
        )
        for name, value in fields.items():
            setattr(generation, name, value)
        made.append(generation)
    Message.objects.bulk_create(generation.message for generation in made)
    Generation.objects.bulk_create(made)
    return made


def some_times(days: float, count: int, *, until: datetime = NOW) -> list[datetime]:
    """So many times, oldest first, within so many days; the younger, the closer together."""
    chance = random.Random(count)  # noqa: S311 (nothing secret)
    return sorted(until - days * DAY * chance.random() ** 2 for _ in range(count))
