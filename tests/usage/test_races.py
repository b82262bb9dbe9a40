"""Counting while others count, and while accounts are being deleted."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.models import User
from conversations.models import UsageMark, UsagePresence
from conversations.usage.counting import Counted, catch_up
from conversations.usage.reading import TIME_RANGES, report
from tests.factories import UserFactory
from tests.usage.recount import check_all
from tests.usage.rows import DAY, NOW, replies, some_times

pytestmark = pytest.mark.django_db(transaction=True)


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
    for time_range in TIME_RANGES:
        check_all(report(time_range, NOW))


def test_counting_does_not_wait_for_an_account_that_is_being_deleted() -> None:
    people = UserFactory.create_batch(2, date_joined=NOW - 30 * DAY)
    replies(people, some_times(1, 10))

    def delete() -> None:
        User.objects.select_for_update().get(pk=people[0].pk)

    with held(delete):
        assert catch_up(now=NOW) is Counted.ALL
    assert set(UsagePresence.objects.values_list("user", flat=True)) == {people[1].pk}
    assert report(TIME_RANGES[0], NOW).whole.turns == 10


def test_nobody_waits_for_another_count() -> None:
    UsageMark.objects.create(counted_to=NOW)
    with held(lambda: UsageMark.objects.select_for_update().get()):
        assert catch_up(now=NOW + DAY) is Counted.ELSEWHERE
        with pytest.raises(CommandError) as refused:
            call_command("aggregate_usage")
        assert refused.value.returncode == 4
    assert catch_up(now=NOW + DAY) is Counted.ALL
