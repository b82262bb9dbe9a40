"""How much a person may use: which limit holds, and what is refused when nothing is left."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from conversations.actions import branches, organizing, turns
from conversations.models import Conversation, Message, Period, PersonUsage, Status, TurnWindow, UsageLimit
from conversations.replies import leases
from conversations.replies.leases import Outcome
from conversations.usage import limits
from conversations.usage.limits import LimitReached, NothingAllowed
from tests.factories import ConversationFactory, UserFactory
from tests.support.limiting import ended, limit, move, usage

pytestmark = pytest.mark.django_db


# --- Which limit holds ------------------------------------------------------------------------------------------------


def test_the_persons_own_limit_wins_then_the_most_generous_group_then_everybodys(user: User, stranger: User) -> None:
    small, large = (Group.objects.create(name=name) for name in ("small", "large"))
    limit(messages=5, tokens=100)
    limit(group=small, messages=10)
    limit(group=large, messages=20, tokens=50)
    limit(period="month", messages=99)
    month = {Period.MONTH: (99, None)}
    assert limits.limits_of(user) == {Period.DAY: (5, 100)} | month
    user.groups.add(large)
    assert limits.limits_of(user) == {Period.DAY: (20, 50)} | month
    user.groups.add(small)
    assert limits.limits_of(user) == {Period.DAY: (20, None)} | month
    limit(user, messages=1, tokens=1)
    assert limits.limits_of(user) == {Period.DAY: (1, 1)} | month
    assert limits.limits_of(stranger) == {Period.DAY: (5, 100)} | month


def test_limits_cost_one_query_once_the_site_has_any(user: User, stranger: User) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            ended(turns.send(user, text="Hello"), 5)
        return len(captured)

    before = statements()
    limit(stranger, messages=1)
    assert statements() == before + 1


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"period": "week", "messages": 1},
        {"messages": -1},
        {"user": True, "group": True, "messages": 1},
    ],
)
def test_the_database_refuses_what_is_no_limit(user: User, fields: dict[str, object]) -> None:
    if fields.get("group"):
        fields |= {"user": user, "group": Group.objects.create(name="Guests")}
    with pytest.raises(IntegrityError), transaction.atomic():
        UsageLimit.objects.create(**fields)


def test_there_is_one_limit_per_target_and_period(user: User) -> None:
    group = Group.objects.create(name="Guests")
    for target in ({}, {"user": user}, {"group": group}):
        UsageLimit.objects.create(messages=1, **target)
        UsageLimit.objects.create(messages=1, period=Period.MONTH, **target)
        again = UsageLimit(tokens=1, **target)
        with pytest.raises(ValidationError, match="already"):
            again.full_clean()
        with pytest.raises(IntegrityError), transaction.atomic():
            again.save()


@pytest.mark.django_db(transaction=True)
def test_an_export_has_a_persons_limit_and_use_and_an_erasure_takes_both(user: User, tmp_path: Path) -> None:
    limit(user, messages=1)
    turns.send(user, text="Hello")
    call_command("export_user", user.email, str(tmp_path / "person.zip"), verbosity=0)
    with ZipFile(tmp_path / "person.zip") as archive:
        records = json.loads(archive.read("records.json"))
    assert records["conversations.UsageLimit"][0]["messages"] == 1
    assert records["conversations.TurnWindow"][0]["day_messages"] == 1
    limit(messages=2)
    call_command("erase_user", user.email, verbosity=0)
    assert [str(row) for row in UsageLimit.objects.all()] == ["Limit a day of everybody"]
    assert not TurnWindow.objects.exists()


# --- At the limit -----------------------------------------------------------------------------------------------------


def test_a_turn_past_the_limit_is_refused_until_the_day_is_over(user: User) -> None:
    limit(messages=2)
    turns.send(user, text="One")
    reply = turns.send(user, text="Two").reply
    turns.stop(reply)
    for refused in (
        lambda: turns.send(user, text="Three"),
        lambda: turns.retry(reply),
        lambda: branches.regenerate(reply),
        lambda: branches.edit(reply.parent or reply, text="Too"),
    ):
        with pytest.raises(LimitReached, match="You have used your 2 messages for today. You can write again at "):
            refused()
    assert Message.objects.count() == 4
    move(user, "1 day")
    turns.send(user, text="Three")


def test_deleting_gives_nothing_back(user: User) -> None:
    limit(messages=1)
    turn = ended(turns.send(user, text="One"))
    organizing.trash(Conversation.objects.owned_by(user))
    turn.conversation.delete()
    with pytest.raises(LimitReached):
        turns.send(user, text="Two")


def test_the_same_turn_again_is_found_at_the_limit(user: User) -> None:
    limit(messages=1)
    key = ConversationFactory.build().pk
    assert turns.send(user, text="One", turn=key) == turns.send(user, text="One", turn=key)


def test_a_reply_that_has_begun_is_finished_and_the_next_one_refused(user: User) -> None:
    limit(tokens=100)
    ended(turns.send(user, text="One"), 99)
    ended(turns.send(user, text="Two"), 500)
    assert Message.objects.filter(content="Good day").count() == 2
    with pytest.raises(LimitReached, match="your 100 tokens for today"):
        turns.send(user, text="Three")


@pytest.mark.parametrize("day", [date(2026, 11, 1), date(2026, 11, 30), date(2028, 2, 29), date(2026, 12, 31)])
def test_of_a_day_and_a_month_that_are_used_up_the_month_is_told(user: User, day: date) -> None:
    limit(messages=1)
    limit(messages=1, period=Period.MONTH)
    with pytest.raises(LimitReached, match="1 message for this month"):
        limits.check(user, PersonUsage(day, day_messages=1, month_messages=1))


def test_a_limit_lowered_below_what_was_used_holds_at_once(user: User) -> None:
    row = limit(user, messages=3)
    for text in ("One", "Two"):
        turns.send(user, text=text)
    row.messages = 1
    row.save(update_fields=("messages",))
    with pytest.raises(LimitReached):
        turns.send(user, text="Three")


def test_whoever_joins_or_leaves_a_group_has_another_limit_at_once(user: User) -> None:
    group = Group.objects.create(name="Guests")
    limit(group=group, messages=1)
    turns.send(user, text="One")
    turns.send(user, text="Two")
    user.groups.add(group)
    with pytest.raises(LimitReached):
        turns.send(user, text="Three")
    user.groups.clear()
    turns.send(user, text="Three")


def test_nobody_may_ask_with_a_limit_of_nothing_superusers_included(user: User) -> None:
    limit(tokens=0)
    limit(messages=5, period=Period.MONTH)
    admin = UserFactory.create(is_staff=True, is_superuser=True)
    for person in (user, admin):
        with pytest.raises(NothingAllowed, match="0 tokens, so nothing can be asked"):
            turns.send(person, text="One")
    assert not Message.objects.exists()


def test_a_reply_that_failed_counts_as_a_message_without_tokens(user: User) -> None:
    limit(messages=1, tokens=1_000)
    failed = turns.send(user, text="One").reply
    assert leases.claim(failed.pk, worker="worker")
    leases.finish(
        failed.pk, Outcome(Status.FAILED, "", error_code="provider_timeout"), worker="worker", user_id=user.pk
    )
    with pytest.raises(LimitReached):
        turns.retry(failed)
    assert usage(user) == [1, 0, 1, 0]


@pytest.mark.django_db(transaction=True)
def test_of_four_turns_at_once_with_one_left_exactly_one_is_taken(user: User) -> None:
    limit(messages=3)
    for text in ("One", "Two"):
        turns.send(user, text=text)

    def post(number: int) -> bool:
        try:
            return bool(turns.send(user, text=f"Turn {number}"))
        except LimitReached:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(post, range(4))) == 1
    assert Message.objects.filter(role="user").count() == 3
    assert usage(user)[0] == 3
