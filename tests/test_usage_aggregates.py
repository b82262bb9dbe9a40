"""What is counted of the replies, against a recount of the replies themselves."""

import io
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings
from uuid_utils.compat import uuid7

from accounts.models import User
from conversations import erasure, leases, turns
from conversations.models import (
    Conversation,
    Generation,
    Grain,
    Measure,
    Message,
    Role,
    Status,
    Usage,
    UsageLatency,
    UsageMark,
    UsagePeople,
    UsagePresence,
)
from conversations.transfer.imports import Import, Outcome
from conversations.transfer.writers import JsonWriter
from conversations.usage import buckets
from conversations.usage.counting import Counted, catch_up
from conversations.usage.reading import PERIODS, Numbers, Report, report
from tests.factories import ConversationFactory, UserFactory

NOW = datetime(2026, 5, 20, 12, 34, 56, tzinfo=UTC)
CODES = ("", "", "", "timeout", "unreachable")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COUNTED = Usage, UsageLatency, UsagePeople, UsagePresence


@pytest.fixture
def people(db: None) -> list[User]:
    return UserFactory.create_batch(5, date_joined=NOW - 200 * DAY)


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
    chance = random.Random(count)  # noqa: S311 (nothing secret)
    return sorted(until - days * DAY * chance.random() ** 2 for _ in range(count))


def stored() -> dict[str, Counter[tuple[object, ...]]]:
    """All that is counted, without keys."""
    return {
        model.__name__: Counter(
            model.objects.values_list(*(field.name for field in model._meta.fields if field.name != "id"))
        )
        for model in COUNTED
    }


RECOUNT = """
SELECT count(*), count(*) FILTER (WHERE status = 'failed'), coalesce(sum(prompt_tokens), 0),
    coalesce(sum(completion_tokens), 0), count(DISTINCT user_id),
    percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM first_token_at - started_at) * 1000),
    percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - created_at) * 1000)
FROM conversations_generation JOIN conversations_message ON id = message_id
WHERE status NOT IN ('pending', 'running', 'interrupted') AND created_at >= %s AND created_at < %s
    AND model LIKE %s
"""


FILL = """
INSERT INTO conversations_usage (grain, began_at, model, status, error_code, replies, prompt_tokens, completion_tokens)
SELECT 'day', %(now)s - step * interval '1 day', 'model ' || number, 'complete', '', 1, 1, 1
FROM generate_series(100, 1000) AS step, generate_series(1, 20) AS number;
INSERT INTO conversations_usagelatency (grain, began_at, model, measure, bucket, replies)
SELECT 'day', %(now)s - step * interval '1 day', 'model', 'added', number, 1
FROM generate_series(100, 1000) AS step, generate_series(1, 20) AS number;
INSERT INTO conversations_usagepeople (grain, began_at, previous, people)
SELECT 'day', %(now)s - step * interval '1 day', %(now)s - (step + number) * interval '1 day', 1
FROM generate_series(100, 1000) AS step, generate_series(1, 20) AS number;
INSERT INTO conversations_usagepresence (grain, began_at, user_id)
SELECT 'day', %(now)s - step * interval '1 day', id FROM generate_series(1, 90) AS step, accounts_user;
ANALYZE conversations_usage, conversations_usagelatency, conversations_usagepeople, conversations_usagepresence,
    conversations_generation, conversations_message
"""


def check(numbers: Numbers, begin: datetime, end: datetime, model: str = "%") -> None:
    """The numbers are those of a plain recount."""
    with connection.cursor() as cursor:
        cursor.execute(RECOUNT, [begin, end, model])
        turns, failed, prompt, completion, people, first, added = cursor.fetchone()
    found = (numbers.turns, numbers.failed.total(), numbers.prompt_tokens, numbers.completion_tokens)
    assert found == (turns, failed, prompt, completion), (begin, end)
    if model == "%":
        assert numbers.people == people, (begin, end)
    for measure, percentiles in ((Measure.FIRST_TOKEN, first), (Measure.ADDED, added)):
        if percentiles:
            times = numbers.times[measure]
            assert [times.p50, times.p95] == pytest.approx(list(map(float, percentiles)), rel=buckets.RELATIVE_ERROR)
        else:
            assert measure not in numbers.times


def check_all(found: Report) -> None:
    step = HOUR if found.period.grain == Grain.HOUR else DAY
    begin, end = min(found.steps), max(found.steps) + step
    assert len(found.steps) == found.period.steps
    check(found.whole, begin, end)
    check(found.before, begin - (end - begin), begin)
    for began, numbers in found.steps.items():
        check(numbers, began, began + step)
    for model, numbers in found.models.items():
        check(numbers, begin, end, model)


@pytest.mark.parametrize("batch", [30, 100_000])
def test_every_period_says_what_a_recount_of_the_replies_says(people: list[User], batch: int) -> None:
    replies(people, some_times(190, 300) + some_times(3, 150))
    assert catch_up(now=NOW, batch=batch) is Counted.ALL
    for period in PERIODS:
        check_all(report(period, NOW))


def test_people_are_told_apart_over_every_period(people: list[User]) -> None:
    for number, user in enumerate(people):
        replies([user], [NOW - back * DAY for back in (0, 3 + number, 20 * number, 95, 120 + 10 * number)])
        replies([user], [NOW - back * HOUR for back in (number, 23, 30 + number)])
    catch_up(now=NOW)
    for period in PERIODS:
        check_all(report(period, NOW))


def test_counting_again_changes_nothing(people: list[User]) -> None:
    replies(people, some_times(10, 100))
    catch_up(now=NOW, batch=10)
    days = report(PERIODS[3], NOW)
    catch_up(now=NOW)
    assert report(PERIODS[3], NOW) == days
    once = stored()
    catch_up(now=NOW)
    assert stored() == once
    UsageMark.objects.update(counted_to=NOW - 2 * DAY)
    catch_up(now=NOW, batch=7)
    assert stored() == once


def test_an_interrupted_count_goes_on_where_it_was(people: list[User]) -> None:
    replies(people, some_times(10, 100))
    assert catch_up(now=NOW, batch=10, seconds=0) is Counted.SOME
    counted = sum(Usage.objects.filter(grain=Grain.DAY).values_list("replies", flat=True))
    assert 0 < counted < 100
    assert UsageMark.objects.get().counted_to < NOW
    assert catch_up(now=NOW) is Counted.ALL
    assert sum(Usage.objects.filter(grain=Grain.DAY).values_list("replies", flat=True)) == 100


def test_an_hour_and_a_day_begin_with_their_first_microsecond(people: list[User]) -> None:
    midnight = NOW.replace(hour=0, minute=0, second=0)
    edges = [
        midnight,
        midnight - timedelta(microseconds=1),
        midnight + HOUR,
        midnight + HOUR - timedelta(microseconds=1),
    ]
    replies(people[:1], sorted(edges))
    catch_up(now=NOW)
    days = report(PERIODS[1], NOW).steps
    assert [days[midnight - DAY].turns, days[midnight].turns] == [1, 3]
    hours = report(PERIODS[0], NOW).steps
    assert [hours[midnight - HOUR].turns, hours[midnight].turns, hours[midnight + HOUR].turns] == [1, 2, 1]


def test_a_reply_that_ends_late_is_counted_when_it_has_ended(people: list[User]) -> None:
    (late,) = replies(people[:1], [NOW - HOUR], status=Status.RUNNING)
    catch_up(now=NOW)
    assert report(PERIODS[0], NOW).whole.turns == 0
    Generation.objects.filter(pk=late.pk).update(status=Status.COMPLETE)
    catch_up(now=NOW + HOUR)
    assert report(PERIODS[0], NOW).whole.turns == 1


def test_what_is_said_here_is_counted_however_it_ends(user: User, settings: Settings) -> None:
    answered = turns.send(user, text="Hello").reply
    claim = leases.claim(answered.pk, worker="one")
    assert claim
    spoken_at = timezone.now()
    outcome = leases.Outcome(
        Status.COMPLETE, "Good day", model="m", prompt_tokens=20, completion_tokens=3, first_token_at=spoken_at
    )
    assert leases.finish(answered.pk, outcome, worker="one", person=user.pk)
    turns.stop(turns.send(user, text="Never mind").reply)
    turns.send(user, text="This one is still to come")
    settings.CHAT_REPLIES_PER_USER = 1
    turns.send(user, text="One too many")
    catch_up()
    found = report(PERIODS[0], timezone.now().astimezone(UTC)).whole
    assert (found.turns, found.people, found.tokens) == (3, 1, 23)
    assert found.failed == {"too_many_replies": 1}
    assert set(found.times) == {Measure.ADDED, Measure.FIRST_TOKEN}


@pytest.mark.parametrize("status", [Status.COMPLETE, Status.FAILED, Status.STOPPED])
def test_what_is_imported_is_not_counted(people: list[User], status: Status) -> None:
    unasked = {} if status == Status.COMPLETE else {"started_at": None}
    replies(people[:1], [NOW - HOUR], status=status, **unasked)
    file, writer = io.BytesIO(), JsonWriter()
    writer.begin(file)
    writer.add(Conversation.objects.get(user=people[0]), file)
    writer.end(file)
    erasure.erase(people[0])
    file.seek(0)
    (result,) = Import(people[1], file).results()
    assert result.outcome is Outcome.IMPORTED
    assert Generation.objects.get().started_at
    catch_up(now=NOW)
    assert not Usage.objects.exists()


def test_what_was_stored_elsewhere_is_not_counted(people: list[User]) -> None:
    replies(people, some_times(1, 3), heartbeat_at=None)
    replies(people, some_times(1, 4), heartbeat_at=None, started_at=None, status=Status.COMPLETE)
    catch_up(now=NOW)
    assert not Usage.objects.exists()


def test_a_reply_that_was_refused_before_a_model_was_asked_is_counted(people: list[User]) -> None:
    unasked = {"heartbeat_at": None, "started_at": None, "first_token_at": None, "model": ""}
    replies(people, some_times(1, 3), status=Status.FAILED, error_code="too_many_replies", **unasked)
    catch_up(now=NOW)
    found = report(PERIODS[1], NOW)
    assert found.whole.failed == {"too_many_replies": 3}
    assert found.whole.times == {}


def test_a_reply_that_waited_to_be_looked_at_adds_no_latency(people: list[User]) -> None:
    for wait in (timedelta(minutes=1), timedelta(minutes=2)):
        replies(people[:1], [NOW - HOUR], started_at=NOW - HOUR + wait, first_token_at=None)
    catch_up(now=NOW)
    found = UsageLatency.objects.get(grain=Grain.DAY, measure=Measure.ADDED, model=None)
    assert found.replies == 1
    assert buckets.milliseconds(found.bucket) == pytest.approx(60_000, rel=buckets.RELATIVE_ERROR)


@pytest.mark.parametrize("milliseconds", [-5_000, 0, 0.4, 1, 1.01, 7, 85, 999, 1_000, 14_142, 120_000, 3_600_000])
def test_a_bucket_stands_for_a_time_close_to_each_in_it(db: None, milliseconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {buckets.bucket_sql('taken')}"  # noqa: S608 (a constant)
            " FROM (SELECT %s * interval '1 millisecond' AS taken) AS one",
            [milliseconds],
        )
        (bucket,) = cursor.fetchone()
    assert buckets.milliseconds(bucket) == pytest.approx(max(milliseconds, 1), rel=buckets.RELATIVE_ERROR)


def test_counts_stay_and_presence_goes_when_a_person_is_erased(people: list[User]) -> None:
    replies(people, some_times(5, 50, until=NOW - 4 * HOUR))
    catch_up(now=NOW)
    before = report(PERIODS[2], NOW)
    receipt = erasure.erase(people[0])
    assert receipt.removed["conversations.UsagePresence"]
    assert not UsagePresence.objects.filter(user=people[0].pk).exists()
    catch_up(now=NOW + HOUR)
    after = report(PERIODS[2], NOW)
    assert (after.whole.turns, after.whole.people) == (before.whole.turns, 5)


def test_what_is_old_is_kept_by_days_only(people: list[User]) -> None:
    replies(people, some_times(150, 200))
    catch_up(now=NOW, batch=20)
    for model in (Usage, UsageLatency, UsagePeople, UsagePresence):
        hours = model.objects.filter(grain=Grain.HOUR).order_by("began_at")
        assert hours[0].began_at > NOW - 5 * DAY
    assert UsagePresence.objects.order_by("began_at")[0].began_at > NOW - 100 * DAY
    assert Usage.objects.order_by("began_at")[0].began_at < NOW - 140 * DAY


def test_operators_count_by_a_command(people: list[User]) -> None:
    replies(people, some_times(10, 30, until=timezone.now()))
    output = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("aggregate_usage", max_seconds=0, batch_size=5, stdout=output)
    assert ended.value.code == 3
    call_command("aggregate_usage", stdout=output)
    assert "Counted up to 20" in output.getvalue()
    assert report(PERIODS[2], timezone.now().astimezone(UTC)).whole.turns == 30


@pytest.mark.django_db(transaction=True)
def test_two_who_count_at_once_do_not_count_twice() -> None:
    people = UserFactory.create_batch(3, date_joined=NOW - 30 * DAY)
    replies(people, some_times(20, 200))
    outcomes: list[Counted] = []
    begin = threading.Barrier(3)

    def run() -> None:
        begin.wait()
        try:
            outcomes.extend(catch_up(now=NOW, batch=5) for _ in range(5))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 15
    catch_up(now=NOW)
    assert Counted.ALL in outcomes
    for period in PERIODS:
        check_all(report(period, NOW))


@pytest.mark.django_db(transaction=True)
def test_counting_does_not_wait_for_an_account_that_is_being_deleted() -> None:
    people = UserFactory.create_batch(2, date_joined=NOW - 30 * DAY)
    replies(people, some_times(1, 10))

    def delete() -> None:
        User.objects.select_for_update().get(pk=people[0].pk)

    with held(delete):
        assert catch_up(now=NOW) is Counted.ALL
    assert set(UsagePresence.objects.values_list("user", flat=True)) == {people[1].pk}
    assert report(PERIODS[0], NOW).whole.turns == 10


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_another_count() -> None:
    UsageMark.objects.create(counted_to=NOW)
    with held(lambda: UsageMark.objects.select_for_update().get()):
        assert catch_up(now=NOW + DAY) is Counted.ELSEWHERE
        with pytest.raises(CommandError) as refused:
            call_command("aggregate_usage")
        assert refused.value.returncode == 4
    assert catch_up(now=NOW + DAY) is Counted.ALL


@contextmanager
def held(act: Callable[[], object]) -> Iterator[None]:
    """Another connection does this in a transaction, which ends with the block."""
    done_it, done = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                act()
                done_it.set()
                done.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert done_it.wait(30)
        yield
    finally:
        done.set()
        thread.join()


def test_counting_and_reading_scan_no_whole_table(people: list[User]) -> None:
    replies(people, some_times(400, 2_500))
    User.objects.bulk_create(User(email=f"{number}@example.org") for number in range(300))
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"now": NOW})
    UsageMark.objects.create(counted_to=NOW - HOUR)
    with CaptureQueriesContext(connection) as captured:
        catch_up(now=NOW)
        report(PERIODS[1], NOW)
    asked = [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]
    assert len(asked) > 10
    for sql in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        # The mark's table has one row; a dozen people are read as quickly from end to end.
        assert not re.search("Seq Scan on (?!conversations_usagemark|accounts_user)", plan), plan
