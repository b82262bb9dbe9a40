"""What counts as used, of messages and of tokens, by day and by month."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from conversations.actions import branches, turns
from conversations.llm.service import ChatMessage, Usage
from conversations.models import Period, Status, TurnWindow
from conversations.replies import leases
from conversations.replies.context import tokens_used
from conversations.replies.leases import Outcome
from conversations.usage import limits
from tests.factories import ConversationFactory
from tests.support.limiting import ended, move, usage

pytestmark = pytest.mark.django_db


def test_turns_retries_and_regenerated_answers_count(user: User) -> None:
    turn = turns.send(user, text="Hello")
    turns.stop(turn.reply)
    turns.retry(turn.reply)
    turns.stop(turn.reply)
    branches.regenerate(turn.reply)
    assert usage(user) == [3, 0, 3, 0]


def test_what_is_refused_or_repeated_does_not_count(user: User) -> None:
    turn = turns.send(user, text="Hello", turn=(key := ConversationFactory.build().pk))
    turns.send(user, text="Hello", turn=key)
    with pytest.raises(turns.ReplyInProgress):
        turns.send(user, text="And?", conversation=turn.conversation)
    assert usage(user) == [1, 0, 1, 0]


def test_a_reply_counts_its_tokens_once_and_a_deleted_one_too(user: User) -> None:
    first = ended(turns.send(user, text="Hello"), 30)
    assert not leases.finish(
        first.reply.pk, Outcome(Status.COMPLETE, "Again", tokens=30), worker="worker", user_id=user.pk
    )
    second = turns.send(user, text="Hello")
    assert leases.claim(second.reply.pk, worker="worker")
    second.conversation.delete()
    outcome = Outcome(Status.COMPLETE, "Good day", tokens=12)
    assert not leases.finish(second.reply.pk, outcome, worker="worker", user_id=user.pk)
    assert usage(user) == [2, 42, 2, 42]


def test_a_reply_that_another_process_took_over_is_counted_there_only(user: User) -> None:
    turn = turns.send(user, text="Hello")
    assert leases.claim(turn.reply.pk, worker="worker")
    outcome = Outcome(Status.COMPLETE, "Good day", tokens=12)
    assert not leases.finish(turn.reply.pk, outcome, worker="another", user_id=user.pk)
    limits.count_tokens(user.pk, 12, unless=turn.reply.pk)
    assert usage(user) == [1, 0, 1, 0]


def test_a_day_and_a_month_that_are_over_count_no_more(user: User) -> None:
    ended(turns.send(user, text="Hello"), 30)
    first = timezone.localdate().replace(day=1)
    TurnWindow.objects.update(messages_on=first, tokens_on=first)
    today = timezone.localdate(turns.send(user, text="Hello").message.created_at)
    assert usage(user) == ([2, 30, 2, 30] if today.day == 1 else [1, 0, 2, 30])
    move(user, "32 days")
    assert usage(user) == [0, 0, 0, 0]
    ended(turns.send(user, text="Hello"), 7)
    assert usage(user) == [1, 7, 1, 7]


def test_a_statement_that_comes_late_does_not_bring_yesterday_back(user: User) -> None:
    days = [timezone.localdate()]
    ended(turns.send(user, text="Hello"), 30)
    days.append(timezone.localdate())
    move(user, "-1 day")
    turns.send(user, text="Hello")
    window = TurnWindow.objects.get()
    assert window.day_messages == 2
    assert window.messages_on in {day + timedelta(days=1) for day in days}


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_days_are_those_of_the_sites_time_zone(user: User, settings: Settings, zone: str) -> None:
    settings.TIME_ZONE = zone
    days = [timezone.localdate(timezone=ZoneInfo(zone))]
    ended(turns.send(user, text="Hello"), 5)
    days.append(timezone.localdate(timezone=ZoneInfo(zone)))
    window = TurnWindow.objects.get()
    assert {window.messages_on, window.tokens_on} <= set(days)
    assert limits.end_of(Period.DAY, window.usage).astimezone(ZoneInfo(zone)).hour == 0


@pytest.mark.parametrize(
    ("answered", "usage", "tokens"),
    [
        ("Good day", Usage(100, 20), 120),
        ("", Usage(100, 0), 100),
        ("Good day", Usage(0, 20), 12 + 20),
        ("Good day", None, 12 + 11),
        ("", None, 0),
    ],
)
def test_the_providers_numbers_count_else_an_estimate(answered: str, usage: Usage | None, tokens: int) -> None:
    assert tokens_used([ChatMessage("user", "Hello, you")], answered, usage) == tokens


@pytest.mark.django_db(transaction=True)
def test_replies_that_end_while_their_person_sends_wait_for_each_other_and_lose_nothing(user: User) -> None:
    def act(number: int) -> None:
        try:
            turn = turns.send(user, text=f"Turn {number}")
            leases.claim(turn.reply.pk, worker=str(number))
            outcome = Outcome(Status.COMPLETE, "Good day", tokens=10)
            assert leases.finish(turn.reply.pk, outcome, worker=str(number), user_id=user.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(act, range(24)))
    assert usage(user) == [24, 240, 24, 240]
