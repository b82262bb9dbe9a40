"""How much a person may use: what counts, which limit holds, and what is said when nothing is left."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from conversations import branches, leases, limits, organizing, turns
from conversations.context import tokens_used
from conversations.leases import Outcome
from conversations.limits import LimitReached, NothingAllowed
from conversations.llm import ChatMessage, Usage
from conversations.models import Conversation, Message, Period, Status, TurnWindow, UsageLimit, Use
from tests.factories import ConversationFactory, UserFactory

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def limit(user: User | None = None, *, group: Group | None = None, **numbers: int | str | None) -> UsageLimit:
    """A stored limit, of the day unless it is said otherwise."""
    return UsageLimit.objects.create(user=user, group=group, **numbers)


def ended(turn: turns.Turn, tokens: int = 0) -> turns.Turn:
    """The turn with its reply made."""
    assert leases.claim(turn.reply.pk, worker="worker")
    leases.finish(
        turn.reply.pk, Outcome(Status.COMPLETE, "Good day", tokens=tokens), worker="worker", person=turn.reply.user_id
    )
    return turn


def use(user: User) -> list[int]:
    """Messages and tokens of today, then of this month."""
    counted = TurnWindow.objects.get(pk=user.pk).use
    return [counted.day_messages, counted.day_tokens, counted.month_messages, counted.month_tokens]


def move(user: User, interval: str) -> None:
    """Let what was counted be so much older."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE conversations_turnwindow SET messages_on = messages_on - %(interval)s::interval,
                tokens_on = tokens_on - %(interval)s::interval WHERE user_id = %(user)s
            """,
            {"interval": interval, "user": user.pk},
        )


# --- What counts ------------------------------------------------------------------------------------------------------


def test_turns_retries_and_regenerated_answers_count(user: User) -> None:
    turn = turns.send(user, text="Hello")
    turns.stop(turn.reply)
    turns.retry(turn.reply)
    turns.stop(turn.reply)
    branches.regenerate(turn.reply)
    assert use(user) == [3, 0, 3, 0]


def test_what_is_refused_or_repeated_does_not_count(user: User) -> None:
    turn = turns.send(user, text="Hello", turn=(key := ConversationFactory.build().pk))
    turns.send(user, text="Hello", turn=key)
    with pytest.raises(turns.ReplyInProgress):
        turns.send(user, text="And?", conversation=turn.conversation)
    assert use(user) == [1, 0, 1, 0]


def test_a_reply_counts_its_tokens_once_and_a_deleted_one_too(user: User) -> None:
    first = ended(turns.send(user, text="Hello"), 30)
    assert not leases.finish(
        first.reply.pk, Outcome(Status.COMPLETE, "Again", tokens=30), worker="worker", person=user.pk
    )
    second = turns.send(user, text="Hello")
    assert leases.claim(second.reply.pk, worker="worker")
    second.conversation.delete()
    outcome = Outcome(Status.COMPLETE, "Good day", tokens=12)
    assert not leases.finish(second.reply.pk, outcome, worker="worker", person=user.pk)
    assert use(user) == [2, 42, 2, 42]


def test_a_reply_that_another_process_took_over_is_counted_there_only(user: User) -> None:
    turn = turns.send(user, text="Hello")
    assert leases.claim(turn.reply.pk, worker="worker")
    outcome = Outcome(Status.COMPLETE, "Good day", tokens=12)
    assert not leases.finish(turn.reply.pk, outcome, worker="another", person=user.pk)
    limits.count_tokens(user.pk, 12, unless=turn.reply.pk)
    assert use(user) == [1, 0, 1, 0]


def test_a_day_and_a_month_that_are_over_count_no_more(user: User) -> None:
    ended(turns.send(user, text="Hello"), 30)
    first = timezone.now().date().replace(day=1)
    TurnWindow.objects.update(messages_on=first, tokens_on=first)
    today = turns.send(user, text="Hello").message.created_at.date()
    assert use(user) == ([2, 30, 2, 30] if today.day == 1 else [1, 0, 2, 30])
    move(user, "32 days")
    assert use(user) == [0, 0, 0, 0]
    ended(turns.send(user, text="Hello"), 7)
    assert use(user) == [1, 7, 1, 7]


def test_a_statement_that_comes_late_does_not_bring_yesterday_back(user: User) -> None:
    ended(turns.send(user, text="Hello"), 30)
    move(user, "-1 day")
    turns.send(user, text="Hello")
    window = TurnWindow.objects.get()
    assert window.day_messages == 2
    assert window.messages_on == timezone.now().date() + timedelta(days=1)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_days_are_those_of_the_sites_time_zone(user: User, settings: Settings, zone: str) -> None:
    settings.TIME_ZONE = zone
    days = [timezone.localdate(timezone=ZoneInfo(zone))]
    ended(turns.send(user, text="Hello"), 5)
    days.append(timezone.localdate(timezone=ZoneInfo(zone)))
    window = TurnWindow.objects.get()
    assert {window.messages_on, window.tokens_on} <= set(days)
    assert limits.end_of(Period.DAY, window.use).astimezone(ZoneInfo(zone)).hour == 0


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


def test_of_a_day_and_a_month_that_are_used_up_the_later_end_is_told(user: User) -> None:
    limit(messages=1)
    limit(messages=1, period=Period.MONTH)
    turns.send(user, text="One")
    with pytest.raises(LimitReached, match="1 message for this month"):
        turns.send(user, text="Two")


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
    leases.finish(failed.pk, Outcome(Status.FAILED, "", error_code="provider_timeout"), worker="worker", person=user.pk)
    with pytest.raises(LimitReached):
        turns.retry(failed)
    assert use(user) == [1, 0, 1, 0]


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
    assert use(user)[0] == 3


@pytest.mark.django_db(transaction=True)
def test_replies_that_end_while_their_person_sends_wait_for_each_other_and_lose_nothing(user: User) -> None:
    def act(number: int) -> None:
        try:
            turn = turns.send(user, text=f"Turn {number}")
            leases.claim(turn.reply.pk, worker=str(number))
            outcome = Outcome(Status.COMPLETE, "Good day", tokens=10)
            assert leases.finish(turn.reply.pk, outcome, worker=str(number), person=user.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(act, range(24)))
    assert use(user) == [24, 240, 24, 240]


# --- What is said -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(seconds=-5), r"at \d\d:\d\d \(in 1 minute\)"),
        (timedelta(minutes=12, seconds=2), r"at \d\d:\d\d \(in 12 minutes\)"),
        (timedelta(hours=5, seconds=2), r"at \d\d:\d\d \(in 5 hours\)"),
        (timedelta(days=9, seconds=2), r"on \d+ \w+ at \d\d:\d\d \(in 9 days\)"),
    ],
)
def test_the_end_is_told_in_words(left: timedelta, words: str) -> None:
    assert re.fullmatch(words, limits.when(timezone.now() + left))


def test_the_end_is_midnight_of_the_site_told_in_the_readers_time_zone() -> None:
    day, month = (limits.end_of(period, Use(date(2026, 12, 31))) for period in Period)
    assert day == month == datetime(2027, 1, 1, tzinfo=UTC)
    with timezone.override(ZoneInfo("Asia/Kolkata")):
        assert limits.when(day).startswith("on 1 January at 05:30 (")


def test_the_page_gives_back_what_was_typed(user: User, signed_in: Client) -> None:
    limit(messages=1)
    conversation = ended(turns.send(user, text="One")).conversation
    address = conversation.get_absolute_url()
    answer = signed_in.post(address, {"message": "My second"}, headers=HTMX)
    assert answer.status_code == 429
    assert "You have used your 1 message for today." in answer.content.decode()
    page = signed_in.post(address, {"message": "My second"})
    assert page.status_code == 429
    assert "You have used your 1 message for today." in page.content.decode()
    assert ">My second</textarea>" in page.content.decode()


def test_near_the_end_the_answer_to_a_turn_tells_what_is_left(user: User, signed_in: Client) -> None:
    limit(messages=5)
    limit(tokens=1_000, period=Period.MONTH)
    said = signed_in.post("/", {"message": "One"}, headers=HTMX).content.decode()
    assert "left today" not in said
    ended(turns.send(user, text="Two"), 100)
    conversation = ended(turns.send(user, text="Three")).conversation
    said = signed_in.post(conversation.get_absolute_url(), {"message": "Four"}, headers=HTMX).content.decode()
    assert "1 of 5 messages left today" in said
    assert '<p class="fine" id="fine" hx-swap-oob="true">' in said
    limits.count_tokens(user.pk, 880)
    UsageLimit.objects.filter(period=Period.DAY).delete()
    said = signed_in.post("/", {"message": "Five"}, headers=HTMX).content.decode()
    assert "20 of 1,000 tokens left this month" in said


def test_the_sentence_tells_the_end_on_the_readers_clock(user: User, signed_in: Client) -> None:
    limit(messages=1)
    turns.send(user, text="One")
    signed_in.cookies["timezone"] = "Asia/Kolkata"
    said = signed_in.post("/", {"message": "Two"}, headers=HTMX).content.decode()
    assert "You can write again at 05:30 (in " in said


# --- Where a person stands --------------------------------------------------------------------------------------------


def test_a_person_sees_where_they_stand(user: User, stranger: User, signed_in: Client, client: Client) -> None:
    ended(turns.send(stranger, text="Hello"), 999)
    assert signed_in.get("/usage/", headers=HTMX).content == b""
    page = signed_in.get("/usage/").content.decode()
    assert "No limit holds for you." in page
    assert "0 messages, 0 tokens today" in page
    limit(messages=50)
    limit(tokens=4_000, period=Period.MONTH)
    ended(turns.send(user, text="Hello"), 3_400)
    assert signed_in.get("/usage/", headers=HTMX).content == b"3,400 of 4,000 tokens this month"
    page = signed_in.get("/usage/").content.decode()
    assert "1 of 50 messages today" in page
    assert 'value="85"' in page
    assert "999" not in page
    assert client.get("/usage/").status_code == 302
