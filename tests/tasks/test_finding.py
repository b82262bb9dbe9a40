"""Finding a task by what a person calls it."""

import pytest

from accounts.models import User
from tasks import actions
from tasks.finding import find
from tests.tasks.factories import add

pytestmark = pytest.mark.django_db

LIST = (
    "Buy milk",
    "buy milk",
    "Buy oat milk and bread",
    "Café: zurückrufen",
    "Task force meeting",
    "牛乳を買う",
    "לקנות חלב",
    "Call Mum",
)


def found(user: User, called: str) -> list[str]:
    return [task.title for task in find(user, called)]


@pytest.mark.parametrize(
    ("called", "titles"),
    [
        ("Buy milk", ["Buy milk"]),
        ("  buy   milk ", ["buy milk"]),
        ("BUY MILK", ["Buy milk", "buy milk"]),
        ("the milk one", ["Buy milk", "buy milk", "Buy oat milk and bread"]),
        ("the oat milk task", ["Buy oat milk and bread"]),
        ("bread milk", ["Buy oat milk and bread"]),
        ("cafe", ["Café: zurückrufen"]),
        ("CAFE\u0301: ZURU\u0308CKRUFEN", ["Café: zurückrufen"]),
        ("my “call” item", ["Call Mum"]),
        ("forc", ["Task force meeting"]),
        ("the task force task", ["Task force meeting"]),
        ("牛乳", ["牛乳を買う"]),
        ("חלב", ["לקנות חלב"]),
        ("ＭＵＭ", ["Call Mum"]),
        ("milk tomorrow", []),
        ("", []),
        ("  ", []),
        ("the one", []),
        ("task", []),
        ("…", []),
        ("%", []),
        ("\0", []),
        ("\ud800", []),
    ],
)
def test_the_words_that_describe_a_task_find_it(user: User, called: str, titles: list[str]) -> None:
    add(user, *LIST)
    assert found(user, called) == titles


def test_a_title_of_nothing_but_fillers_is_found_by_itself(user: User) -> None:
    add(user, "The one", "Other")
    assert found(user, "the one") == ["The one"]


def test_open_tasks_come_before_done_ones(user: User) -> None:
    done, _ = add(user, "Buy milk", "Buy milk")
    actions.complete(done)
    assert [task.is_done for task in find(user, "milk")] == [False, True]


def test_nothing_of_others_and_nothing_deleted_is_found(user: User, stranger: User) -> None:
    add(stranger, "Buy milk")
    (deleted,) = add(user, "Milk the cow")
    actions.delete(deleted)
    assert find(user, "milk") == []
