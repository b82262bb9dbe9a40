"""Helpers for tests of usage limits: store a limit, end a reply, read usage, move time."""

from django.contrib.auth.models import Group
from django.db import connection

from accounts.models import User
from conversations.actions import turns
from conversations.models import Status, TurnWindow, UsageLimit
from conversations.replies import leases
from conversations.replies.leases import Outcome


def limit(user: User | None = None, *, group: Group | None = None, **numbers: int | str | None) -> UsageLimit:
    """A stored limit, for a day unless `period` says otherwise."""
    return UsageLimit.objects.create(user=user, group=group, **numbers)


def ended(turn: turns.Turn, tokens: int = 0) -> turns.Turn:
    """The turn, with its reply completed."""
    assert leases.claim(turn.reply.pk, worker="worker")
    leases.finish(
        turn.reply.pk, Outcome(Status.COMPLETE, "Good day", tokens=tokens), worker="worker", user_id=turn.reply.user_id
    )
    return turn


def usage(user: User) -> list[int]:
    """Messages and tokens of today, then of this month."""
    counted = TurnWindow.objects.get(pk=user.pk).usage
    return [counted.day_messages, counted.day_tokens, counted.month_messages, counted.month_tokens]


def move(user: User, interval: str) -> None:
    """Make the person's counts older by this interval."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE conversations_turnwindow SET messages_on = messages_on - %(interval)s::interval,
                tokens_on = tokens_on - %(interval)s::interval WHERE user_id = %(user)s
            """,
            {"interval": interval, "user": user.pk},
        )
