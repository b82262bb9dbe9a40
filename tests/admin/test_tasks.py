"""Tasks in the admin: who may see that they exist, who may read them, and what is recorded of that."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts.models import User
from accounts.readings import READING
from tasks import actions, lists
from tasks.models import Task
from tests.admin.conftest import Staff
from tests.factories import UserFactory
from tests.support.elements import read
from tests.tasks.factories import add

pytestmark = pytest.mark.django_db

LIST = "/admin/tasks/task/"
READ = ("view_task", "read_task")


@pytest.fixture
def task(user: User) -> Task:
    """Somebody's task, with all that can be read of it."""
    (made,) = add(user, "Secret errand", description="Secretly")
    return made


def address(task: Task, page: str = "change") -> str:
    return f"{LIST}{task.pk}/{page}/"


def test_a_list_shows_whose_tasks_there_are_and_no_text_to_anybody(staff: Staff, task: Task) -> None:
    for client in (staff("view_task"), staff(*READ), staff()):
        html = client.get(LIST).content.decode()
        assert task.user.email in html
        assert "Secret" not in html
    assert staff("view_conversation").get(LIST).status_code == 403
    assert staff("read_task").get(LIST).status_code == 403


def test_only_readers_see_what_a_task_says_and_each_reading_is_recorded(staff: Staff, task: Task) -> None:
    html = staff("view_task").get(address(task)).content.decode()
    assert task.user.email in html
    assert "Secret" not in html
    assert not LogEntry.objects.exists()
    for client in (staff(*READ), staff()):
        html = client.get(address(task)).content.decode()
        assert "Secret errand" in html
        assert "Secretly" in html
    entries = list(LogEntry.objects.all())
    assert [(entry.action_flag, entry.object_id) for entry in entries] == [(READING, str(task.pk))] * 2
    assert "Secret" not in " ".join(f"{entry.object_repr} {entry.change_message}" for entry in entries)


def test_a_title_is_on_no_page_but_the_tasks_own(staff: Staff, task: Task) -> None:
    client = staff("view_task", "delete_task", "view_logentry")
    for path in (address(task, "history"), address(task, "delete"), "/admin/admin/logentry/"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "Secret" not in answer.content.decode(), path


@pytest.mark.parametrize("question", ["title__startswith=S", "description__contains=Secret", "title=Secret errand"])
def test_an_address_cannot_ask_what_a_task_says(staff: Staff, task: Task, question: str) -> None:
    for client in (staff("view_task"), staff()):
        assert client.get(f"{LIST}?{question}").status_code == 400
    assert task.user.email not in staff().get(f"{LIST}?q=Secret").content.decode()


def test_tasks_are_narrowed_by_state_and_person(staff: Staff, task: Task, stranger: User) -> None:
    done, deleted = add(stranger, "Done", "Deleted")
    actions.complete(done)
    actions.delete(deleted)
    client = staff("view_task")
    for question, keys in {
        "state=open": [task.pk],
        "state=done": [done.pk],
        "state=deleted": [deleted.pk],
        f"user__id__exact={task.user_id}": [task.pk],
        f"q={task.user.email}": [task.pk],
        f"q={done.pk}": [done.pk],
    }.items():
        links = read(client.get(f"{LIST}?{question}").content.decode()).all('th a[href*="/change/"]')
        assert [str(key) in link["href"] for key, link in zip(keys, links, strict=True)] == [True], question


def test_nobody_adds_or_changes_a_task(staff: Staff, task: Task) -> None:
    client = staff()
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(address(task), {"title": "Changed"}).status_code == 403
    task.refresh_from_db()
    assert task.title == "Secret errand"


def select(task: Task) -> dict[str, Any]:
    return {"action": "delete_selected", "_selected_action": [task.pk], "post": "yes"}


WAYS: dict[str, Callable[[Client, Task], Any]] = {
    "its page": lambda client, task: client.post(address(task, "delete"), {"post": "yes"}),
    "the list": lambda client, task: client.post(LIST, select(task)),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_an_erased_task_is_gone_and_the_persons_page_hears_of_it(
    staff: Staff, task: Task, way: Callable[[Client, Task], Any]
) -> None:
    before = lists.version(task.user)
    assert way(staff("view_task"), task).status_code in (200, 302, 403)
    assert Task.objects.exists()
    assert way(staff("view_task", "delete_task"), task).status_code == 302
    assert not Task.objects.exists()
    assert lists.version(task.user) == before + 1


def test_staffs_tasks_are_erased_by_a_superuser_only(staff: Staff) -> None:
    (task,) = add(UserFactory.create(is_staff=True), "Theirs")
    staff("view_task", "delete_task").post(LIST, select(task))
    assert Task.objects.exists()
    staff().post(LIST, select(task))
    assert not Task.objects.exists()
