"""The assistant's tools for the to-do list, called as the model calls them."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from tasks import actions, chat_tools
from tasks.models import Task
from tools import registry
from tools.define import ToolError

pytestmark = pytest.mark.django_db


def call(user: User, name: str, arguments: str) -> str:
    """What the tool returns for the arguments that a model wrote."""
    tool = registry.get(name)
    assert tool
    return str(tool.function(user=user, **tool.arguments(arguments)))


def titles(user: User) -> list[str]:
    return [task.title for task in Task.objects.owned_by(user).in_order()]


def test_the_tools_are_there_and_have_no_fault() -> None:
    names = [tool.name for tool in registry.all_tools()]
    assert {"add_task", "list_tasks", "complete_task", "update_task", "delete_task"} <= set(names)
    assert registry.faults() == []


def test_only_deleting_asks_first_and_only_listing_changes_nothing() -> None:
    ours = [tool for tool in registry.all_tools() if tool.name.endswith(("_task", "_tasks"))]
    assert [tool.name for tool in ours if tool.confirm] == ["delete_task"]
    assert [tool.name for tool in ours if tool.read_only] == ["list_tasks"]


def test_a_task_is_added_for_tomorrow(user: User) -> None:
    said = call(user, "add_task", '{"title": "Buy milk", "due": "tomorrow"}')
    task = Task.objects.get()
    assert task.due == timezone.localdate() + timedelta(days=1)
    assert said == f"Added: Buy milk, due {task.due}"


def test_a_task_is_added_for_a_date(user: User) -> None:
    call(user, "add_task", '{"title": "Buy milk", "due": "2030-01-31", "description": "Two of them"}')
    task = Task.objects.get()
    assert (task.due, task.description) == (date(2030, 1, 31), "Two of them")


def test_the_list_shows_what_is_asked_for(user: User, stranger: User) -> None:
    actions.add(stranger, title="Of somebody else")
    actions.complete(actions.add(user, title="Old"))
    actions.add(user, title="New", due=timezone.localdate())
    assert [row[0] for row in chat_tools.list_tasks(user).rows] == ["New"]
    assert [row[0] for row in chat_tools.list_tasks(user, show="done").rows] == ["Old"]
    assert [row[0] for row in chat_tools.list_tasks(user, show="today").rows] == ["New"]
    table = chat_tools.list_tasks(user, show="all")
    assert {(row[0], row[2]) for row in table.rows} == {("New", "open"), ("Old", "done")}
    assert table.links[0] == Task.objects.get(title="New").get_absolute_url()


def test_descriptions_are_listed_where_there_are_any(user: User) -> None:
    actions.add(user, title="Buy milk")
    assert list(chat_tools.list_tasks(user).columns) == ["Task", "Due", "State"]
    actions.add(user, title="Call Ana", description="About the roof")
    table = chat_tools.list_tasks(user)
    assert table.columns[-1] == "Description"
    assert [row[-1] for row in table.rows] == ["About the roof", ""]


def test_a_task_is_found_by_what_a_person_calls_it(user: User) -> None:
    actions.add(user, title="Buy milk")
    actions.add(user, title="Call Anna")
    assert call(user, "complete_task", '{"task": "the milk one"}') == "Completed: Buy milk"
    assert call(user, "complete_task", '{"task": "the milk one"}') == "It was done already: Buy milk"


def test_an_open_task_is_meant_rather_than_a_done_one(user: User) -> None:
    actions.complete(actions.add(user, title="Buy milk"))
    actions.add(user, title="Buy milk")
    assert call(user, "complete_task", '{"task": "milk"}') == "Completed: Buy milk"
    assert not Task.objects.owned_by(user).open().exists()


def test_several_that_fit_are_named_and_none_is_changed(user: User) -> None:
    actions.add(user, title="Buy milk")
    actions.add(user, title="Boil milk", due=date(2030, 1, 1))
    with pytest.raises(ToolError, match=r"Several tasks fit 'milk': .*Boil milk, due 2030-01-01.*Buy milk.*which"):
        call(user, "delete_task", '{"task": "milk"}')
    assert sorted(titles(user)) == ["Boil milk", "Buy milk"]


def test_what_fits_nothing_is_said(user: User, stranger: User) -> None:
    actions.add(stranger, title="Buy milk")
    with pytest.raises(ToolError, match="No task on the list fits 'milk'"):
        call(user, "complete_task", '{"task": "milk"}')


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ('"title": "Buy oat milk"', "Buy oat milk, due 2030-01-01"),
        ('"due": "none"', "Buy milk"),
        ('"due": "2031-02-03"', "Buy milk, due 2031-02-03"),
        ('"done": true', "Buy milk, due 2030-01-01 (done)"),
        ('"description": "Two"', "Buy milk, due 2030-01-01"),
    ],
)
def test_a_change_leaves_the_rest_as_it_is(user: User, arguments: str, told: str) -> None:
    actions.add(user, title="Buy milk", due=date(2030, 1, 1))
    assert call(user, "update_task", f'{{"task": "milk", {arguments}}}') == f"It is now: {told}"


def test_a_deleted_task_can_be_restored_by_its_person(user: User) -> None:
    task = actions.add(user, title="Buy milk")
    assert call(user, "delete_task", '{"task": "Buy milk"}') == "Deleted: Buy milk"
    assert titles(user) == []
    task.refresh_from_db()
    assert task.deleted_at
    actions.restore(user, at=task.deleted_at)
    assert titles(user) == ["Buy milk"]
