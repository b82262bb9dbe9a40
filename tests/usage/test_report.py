"""What a report says of every time range, against a recount of the replies themselves, and what it reads for that."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from conversations.models import UsageMark
from conversations.usage import buckets
from conversations.usage.counting import Counted, catch_up
from conversations.usage.reading import TIME_RANGES, report
from tests.usage.recount import check_all
from tests.usage.rows import DAY, HOUR, NOW, replies, some_times

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


@pytest.mark.parametrize("batch", [30, 100_000])
def test_every_period_says_what_a_recount_of_the_replies_says(people: list[User], batch: int) -> None:
    replies(people, some_times(190, 300) + some_times(3, 150))
    assert catch_up(now=NOW, batch=batch) is Counted.ALL
    for time_range in TIME_RANGES:
        check_all(report(time_range, NOW))


def test_people_are_told_apart_over_every_period(people: list[User]) -> None:
    for number, user in enumerate(people):
        replies([user], [NOW - back * DAY for back in (0, 3 + number, 20 * number, 95, 120 + 10 * number)])
        replies([user], [NOW - back * HOUR for back in (number, 23, 30 + number)])
    catch_up(now=NOW)
    for time_range in TIME_RANGES:
        check_all(report(time_range, NOW))


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
    days = report(TIME_RANGES[1], NOW).steps
    assert [days[midnight - DAY].turns, days[midnight].turns] == [1, 3]
    hours = report(TIME_RANGES[0], NOW).steps
    assert [hours[midnight - HOUR].turns, hours[midnight].turns, hours[midnight + HOUR].turns] == [1, 2, 1]


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


def test_counting_and_reading_scan_no_whole_table(people: list[User]) -> None:
    replies(people, some_times(400, 2_500))
    User.objects.bulk_create(User(email=f"{number}@example.org") for number in range(300))
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"now": NOW})
    UsageMark.objects.create(counted_to=NOW - HOUR)
    with CaptureQueriesContext(connection) as captured:
        catch_up(now=NOW)
        report(TIME_RANGES[1], NOW)
    asked = [query["sql"] for query in captured if not re.match("SET|.*SAVEPOINT", query["sql"])]
    assert len(asked) > 10
    for sql in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        # The mark's table has one row; a dozen people are read as quickly from end to end.
        assert not re.search("Seq Scan on (?!conversations_usagemark|accounts_user)", plan), plan
