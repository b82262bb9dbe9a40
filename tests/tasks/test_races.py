"""What must not happen to tasks when several change them at once."""

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings
from uuid_utils.compat import uuid7

from accounts.models import User
from chatbot.core.errors import UserFacingError
from tasks import actions, lists
from tasks.errors import TaskGone, TooManyTasks
from tasks.models import Task
from tests.tasks.factories import add, titles

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What these return, or the error that they raise, each in a thread and on a connection of its own."""
    begin = threading.Barrier(len(acts))
    outcomes: list[Any] = [None] * len(acts)

    def run(number: int) -> None:
        begin.wait()
        try:
            outcomes[number] = acts[number]()
        except UserFacingError as error:
            outcomes[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_of_several_who_complete_a_task_one_did_it(user: User) -> None:
    (task,) = add(user, "Buy milk")
    outcomes = at_once(*[lambda: actions.complete(task)] * 4)
    assert sorted(outcomes) == [False, False, False, True]


def test_of_several_who_delete_a_task_one_did_it(user: User) -> None:
    (task,) = add(user, "Buy milk")
    outcomes = at_once(*[lambda: actions.delete(task)] * 4)
    assert [type(outcome) for outcome in outcomes].count(TaskGone) == 3
    (deleted_at,) = [outcome for outcome in outcomes if not isinstance(outcome, TaskGone)]
    assert actions.restore(user, at=deleted_at) == 1


def test_a_form_that_is_sent_twice_at_once_adds_one_task(user: User) -> None:
    key = uuid7()
    outcomes = at_once(*[lambda: actions.add(user, title="Buy milk", key=key)] * 4)
    assert {task.pk for task in outcomes} == {key}
    assert titles(user) == ["Buy milk"]


def test_the_limit_holds_for_those_who_add_at_once(user: User, settings: Settings) -> None:
    settings.TASKS_PER_USER = 3
    outcomes = at_once(*[lambda: actions.add(user, title="One more")] * 6)
    assert [type(outcome) for outcome in outcomes].count(TooManyTasks) == 3
    assert Task.objects.count() == 3


def test_many_moves_at_once_leave_every_task_at_a_place_of_its_own(user: User) -> None:
    tasks = add(user, *(f"Task {number}" for number in range(8)))
    chance = random.Random(7)  # noqa: S311 (which moves are tried)

    def moves(pairs: list[tuple[Task, Task]]) -> Callable[[], None]:
        def run() -> None:
            for number, (task, other) in enumerate(pairs):
                way = {"before": other.pk} if number % 2 else {"after": other.pk}
                actions.move(task, **way)

        return run

    # Most of them go to the same place, whose room is used up.
    plans = [[(chance.choice(tasks[1:]), tasks[0]) for _ in range(20)] for _ in range(4)]
    assert at_once(*(moves(plan) for plan in plans)) == [None] * 4
    assert sorted(titles(user)) == [f"Task {number}" for number in range(8)]
    assert len(set(Task.objects.values_list("position", flat=True))) == 8


def test_no_change_is_hidden_behind_a_version_that_was_seen_before(user: User) -> None:
    tasks = add(user, *(f"Task {number}" for number in range(6)))
    before = lists.version(user)
    at_once(*(lambda task=task: actions.complete(task) for task in tasks))
    assert lists.version(user) == before + 6


def test_an_account_is_removed_while_its_tasks_are_changed(user: User) -> None:
    tasks = add(user, *(f"Task {number}" for number in range(6)))
    acts = [lambda task=task: actions.complete(task) for task in tasks]
    at_once(*acts, lambda: User.objects.filter(pk=user.pk).delete(), lambda: actions.add(user, title="Late"))
    assert not Task.objects.exists()
    assert not User.objects.filter(pk=user.pk).exists()
