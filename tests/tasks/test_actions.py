"""What a person can do with tasks: each verb once, twice, and on what is gone."""

from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from pytest_django import Settings
from uuid_utils.compat import uuid7

from accounts.models import User
from tasks import actions, lists
from tasks.errors import NothingToRestore, TaskGone, TooManyTasks
from tasks.models import Task, TaskList
from tasks.positions import GAP
from tests.tasks.factories import add, titles

pytestmark = pytest.mark.django_db


def test_a_new_task_is_on_top_and_has_what_was_typed(user: User) -> None:
    add(user, "Older")
    task = actions.add(user, title="  Buy\n milk ", description=" Two\r\nlitres ", due=date(2027, 1, 31))
    task.refresh_from_db()
    assert (task.title, task.description, task.due, task.is_done) == (
        "Buy milk",
        "Two\nlitres",
        date(2027, 1, 31),
        False,
    )
    assert titles(user) == ["Buy milk", "Older"]


@pytest.mark.parametrize("title", ["", "  ", "\n", "\u200b", "\u3164", "\ud800", "x" * 201])
def test_a_title_that_is_none_is_refused(user: User, title: str) -> None:
    with pytest.raises(ValueError, match="what is to be done|too long"):
        actions.add(user, title=title)
    assert not Task.objects.exists()


def test_titles_keep_what_makes_up_a_character(user: User) -> None:
    family = "👩\u200d👩\u200d👧 שלום"
    assert actions.add(user, title=f"{family}\0\u2028x").title == f"{family} x"


def test_a_repeated_add_stores_one_task_and_returns_it_as_it_is_now(user: User) -> None:
    key = uuid7()
    first = actions.add(user, title="Buy milk", key=key)
    actions.update(first, title="Buy oat milk")
    again = actions.add(user, title="Buy milk", key=key)
    assert (again.pk, again.title) == (first.pk, "Buy oat milk")
    assert titles(user) == ["Buy oat milk"]
    actions.delete(first)
    with pytest.raises(TaskGone):
        actions.add(user, title="Buy milk", key=key)


def test_somebody_elses_key_tells_nothing_and_adds_a_task(user: User, stranger: User) -> None:
    (theirs,) = add(stranger, "Theirs")
    mine = actions.add(user, title="Mine", key=theirs.pk)
    assert mine.pk != theirs.pk
    assert (titles(user), titles(stranger)) == (["Mine"], ["Theirs"])


def test_a_person_has_a_limited_number_of_tasks(user: User, stranger: User, settings: Settings) -> None:
    settings.TASKS_PER_USER = 2
    one, _ = add(user, "One", "Two")
    actions.complete(one)
    with pytest.raises(TooManyTasks, match="limit of 2 tasks"):
        add(user, "Three")
    add(stranger, "Theirs")
    at = actions.delete(one)
    add(user, "Three")
    with pytest.raises(TooManyTasks):
        actions.restore(user, at=at)
    assert titles(user) == ["Three", "Two"]


def test_completing_and_reopening_say_who_did_it(user: User) -> None:
    (task,) = add(user, "Buy milk")
    assert actions.complete(task) is True
    completed_at = Task.objects.get().completed_at
    assert actions.complete(task) is False
    assert Task.objects.get().completed_at == completed_at
    assert actions.reopen(task) is True
    assert actions.reopen(task) is False
    assert Task.objects.get().completed_at is None


def test_an_update_changes_what_it_names(user: User) -> None:
    (task,) = add(user, "Buy milk", due=date(2027, 1, 31), description="Two litres")
    assert actions.update(task, title="Buy oat milk").due == date(2027, 1, 31)
    assert actions.update(task, due=None).due is None
    done = actions.update(task, done=True, description="")
    assert (done.is_done, done.title, done.description) == (True, "Buy oat milk", "")
    assert actions.update(task, done=True).completed_at == done.completed_at
    assert not actions.update(task, done=False).is_done
    with pytest.raises(ValueError, match="to be done"):
        actions.update(task, title=" ")


def test_what_is_gone_is_not_changed(user: User) -> None:
    task, other = add(user, "Buy milk", "Other")
    actions.delete(task)
    for act in (
        lambda: actions.update(task, title="New"),
        lambda: actions.complete(task),
        lambda: actions.reopen(task),
        lambda: actions.move(task, before=other.pk),
        lambda: actions.move(other, before=task.pk),
        lambda: actions.move(other, before=uuid4()),
        lambda: actions.delete(task),
    ):
        with pytest.raises(TaskGone):
            act()
    assert titles(user) == ["Other"]


def test_a_task_moves_before_and_after_others(user: User) -> None:
    one, two, three = add(user, "One", "Two", "Three")
    actions.move(three, before=one.pk)
    assert titles(user) == ["Three", "One", "Two"]
    actions.move(three, after=one.pk)
    assert titles(user) == ["One", "Three", "Two"]
    actions.move(one, after=two.pk)
    assert titles(user) == ["Three", "Two", "One"]
    actions.move(one, before=one.pk)
    assert titles(user) == ["Three", "Two", "One"]


def test_a_move_changes_one_row(user: User) -> None:
    one, two, three = add(user, "One", "Two", "Three")
    actions.move(three, before=two.pk)
    for task in (one, two):
        position = task.position
        task.refresh_from_db()
        assert task.position == position


def test_moves_to_one_place_never_run_out_of_room(user: User) -> None:
    first, *others = add(user, *(f"Task {number}" for number in range(6)))
    for number in range(100):
        actions.move(others[number % 5], after=first.pk)
        assert titles(user)[:2] == [first.title, others[number % 5].title]
    assert len(set(Task.objects.values_list("position", flat=True))) == 6


def test_tasks_at_the_same_position_are_parted_by_the_next_move(user: User) -> None:
    one, two, three = add(user, "One", "Two", "Three")
    Task.objects.update(position=0)
    first, second, third = Task.objects.in_order()
    actions.move(third, before=second.pk)
    assert list(Task.objects.in_order()) == [first, third, second]
    assert {one, two, three} == {first, second, third}


def test_nothing_is_moved_beside_somebody_elses_task(user: User, stranger: User) -> None:
    (mine,), (theirs,) = add(user, "Mine"), add(stranger, "Theirs")
    with pytest.raises(TaskGone):
        actions.move(mine, before=theirs.pk)


def test_a_deleted_task_is_nowhere_until_it_is_put_back_as_it_was(user: User, stranger: User) -> None:
    one, two, three = add(user, "One", "Two", "Three")
    actions.complete(two)
    two.refresh_from_db()
    at = actions.delete(two)
    assert titles(user) == ["One", "Three"]
    with pytest.raises(NothingToRestore):
        actions.restore(stranger, at=at)
    assert actions.restore(user, at=at) == 1
    assert titles(user) == ["One", "Two", "Three"]
    before = two.updated_at, two.completed_at, two.position
    two.refresh_from_db()
    assert (two.updated_at, two.completed_at, two.position) == before
    with pytest.raises(NothingToRestore):
        actions.restore(user, at=at)


def test_what_was_deleted_over_a_day_ago_cannot_come_back_and_goes_with_the_next_deletion(user: User) -> None:
    one, two = add(user, "One", "Two")
    actions.delete(one)
    long_ago = timezone.now() - timedelta(days=1, seconds=1)
    Task.objects.filter(pk=one.pk).update(deleted_at=long_ago)
    with pytest.raises(NothingToRestore):
        actions.restore(user, at=long_ago)
    actions.delete(two)
    assert list(Task.objects.all()) == [two]


def test_only_the_last_deletions_are_kept(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "DELETED_MAX", 2)
    for task in add(user, "One", "Two", "Three"):
        actions.delete(task)
    assert set(Task.objects.values_list("title", flat=True)) == {"Two", "Three"}


def test_every_change_raises_the_version_of_the_list_and_of_no_other(user: User, stranger: User) -> None:
    add(stranger, "Theirs")
    before = lists.version(stranger)
    seen = [lists.version(user)]
    one, two = add(user, "One", "Two")
    for act in (
        lambda: actions.complete(one),
        lambda: actions.reopen(one),
        lambda: actions.update(one, title="New"),
        lambda: actions.move(one, after=two.pk),
        lambda: actions.restore(user, at=actions.delete(one)),
        lambda: actions.erase(Task.objects.filter(pk=one.pk)),
    ):
        act()
        seen.append(lists.version(user))
    assert seen == sorted(set(seen))
    assert lists.version(stranger) == before


def test_with_the_account_go_the_tasks(user: User, stranger: User) -> None:
    add(stranger, "Theirs")
    actions.delete(add(user, "Mine", "Deleted")[1])
    user.delete()
    assert titles(stranger) == ["Theirs"]
    assert Task.objects.count() == TaskList.objects.count() == 1
    with pytest.raises(TaskGone):
        lists.change(user.pk or uuid4())


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("task_title_is_not_blank", {"title": " "}),
        ("task_title_is_not_blank", {"title": ""}),
    ],
)
def test_the_database_refuses_what_must_not_be(user: User, name: str, fields: dict[str, str]) -> None:
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        Task.objects.create(**({"user": user, "title": "Fine", "position": GAP} | fields))


def test_the_database_refuses_a_day_that_python_cannot_read(user: User) -> None:
    (task,) = add(user, "Fine")
    with (
        pytest.raises(IntegrityError, match="task_due_is_in_range"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE tasks_task SET due = 'infinity' WHERE id = %s", [task.pk])
