"""Tasks through the API."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import User
from tasks import actions
from tasks.models import Task
from tests.api.program import Program
from tests.tasks.factories import add, titles

pytestmark = pytest.mark.django_db(transaction=True)


def listed(program: Program, query: str = "") -> list[str]:
    """Titles on the first page of a list."""
    return [item["title"] for item in program.get(f"tasks?{query}").json["items"]]


def test_a_task_is_added_read_changed_replaced_completed_and_deleted(program: Program) -> None:
    added = program.post("tasks", {"title": " Buy\tmilk ", "description": "Two litres", "due": "2027-01-31"})
    assert added.status == 201
    task = added.json
    path = f"tasks/{task['id']}"
    assert added.headers["Location"].endswith(program.path(path))
    assert {name: task[name] for name in ("title", "description", "due", "done", "completed_at")} == {
        "title": "Buy milk",
        "description": "Two litres",
        "due": "2027-01-31",
        "done": False,
        "completed_at": None,
    }
    assert program.get(path).json == task
    changed = program.ask("PATCH", path, {"title": "Buy oat milk"}).json
    assert (changed["title"], changed["due"]) == ("Buy oat milk", "2027-01-31")
    assert program.ask("PATCH", path, {"due": None}).json["due"] is None
    completed = program.ask("PATCH", f"{path}/complete").json
    assert completed["done"] is True
    assert program.ask("PATCH", f"{path}/complete", {}).json["completed_at"] == completed["completed_at"]
    assert program.ask("PATCH", path, {"done": False}).json["completed_at"] is None
    replaced = program.ask("PUT", path, {"title": "Anything", "done": True}).json
    assert (replaced["title"], replaced["description"], replaced["done"]) == ("Anything", "", True)
    assert program.ask("DELETE", path).status == 204
    for answer in (
        program.get(path),
        program.ask("DELETE", path),
        program.ask("PATCH", path, {"title": "x"}),
        program.ask("PUT", path, {"title": "x"}),
        program.ask("PATCH", f"{path}/complete"),
    ):
        assert answer.problem == (404, "not_found")
    assert listed(program) == []


def test_lists_are_filtered_and_come_in_pages(program: Program, stranger: User) -> None:
    today = timezone.localdate()
    add(stranger, "Theirs")
    tasks = add(program.user, "One", "Two", "Three", "Four", "Five")
    for task, due in zip(tasks, (today, today - timedelta(days=1), None, today, None), strict=True):
        actions.update(task, due=due)
    actions.complete(tasks[4])
    actions.complete(tasks[3])
    assert listed(program) == listed(program, "show=all") == ["One", "Two", "Three", "Four", "Five"]
    assert listed(program, "show=open") == ["One", "Two", "Three"]
    assert listed(program, "show=today") == ["One"]
    assert listed(program, "show=overdue") == ["Two"]
    assert listed(program, "show=done") == ["Four", "Five"]
    for show in ("all", "open", "done"):
        pages = [program.get(f"tasks?show={show}&limit=1").json]
        while cursor := pages[-1]["next_cursor"]:
            pages.append(program.get(f"tasks?show={show}&limit=1&cursor={cursor}").json)
        assert [item["title"] for page in pages for item in page["items"]] == listed(program, f"show={show}")


def test_what_is_due_depends_on_the_day_that_it_is_for_the_person(program: Program) -> None:
    add(program.user, "Due", due=date(2027, 1, 31))
    assert listed(program, "show=today&today=2027-01-31") == ["Due"]
    assert listed(program, "show=today&today=2027-02-01") == []
    assert listed(program, "show=overdue&today=2027-02-01") == ["Due"]
    assert listed(program, "show=overdue&today=2027-01-31") == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "cursor=x",
        "cursor=1-2",
        f"cursor={2**63}-{'0' * 32}",
        "show=some",
        "today=0",
        "today=2027-02-30",
    ],
)
def test_a_page_that_is_none_is_refused(program: Program, query: str) -> None:
    answer = program.get(f"tasks?{query}")
    assert answer.problem == (422, "invalid")
    assert answer.json["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "title"),
        ({"title": ""}, "title"),
        ({"title": " \u200b"}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "a\0b"}, "title"),
        ({"title": 5}, "title"),
        ({"title": "Fine", "due": "31.1.2027"}, "due"),
        ({"title": "Fine", "due": "10000-01-01"}, "due"),
        ({"title": "Fine", "due": "2027-02-30"}, "due"),
        ({"title": "Fine", "due": 0}, "due"),
        ({"title": "Fine", "description": "x" * 2001}, "description"),
        ({"title": "Fine", "description": "a\0b"}, "description"),
    ],
)
def test_a_task_that_is_none_is_refused(program: Program, fields: dict[str, Any], field: str) -> None:
    answer = program.post("tasks", fields)
    assert answer.problem == (422, "invalid")
    assert answer.json["errors"][0]["field"] == field
    assert not Task.objects.exists()


def test_any_json_text_is_stored_or_refused_in_words(program: Program) -> None:
    assert program.post("tasks", b'{"title": "a lone surrogate \\ud800"}').problem == (422, "invalid")
    assert program.post("tasks", b'{"title": ').problem == (400, "bad_request")
    text = "<b>&amp;</b> {{ 7 }} \u202e 👩\u200d👧 ' \" \\"
    assert program.post("tasks", {"title": text, "description": text}).json["title"] == text


def test_a_request_that_is_sent_again_adds_nothing(program: Program, others_program: Program) -> None:
    key = {"Idempotency_Key": "milk-1"}
    first = program.post("tasks", {"title": "Buy milk"}, **key)
    again = program.post("tasks", {"title": "Buy milk"}, **key)
    assert (first.json, first.status) == (again.json, again.status)
    assert others_program.post("tasks", {"title": "Buy milk"}, **key).json["id"] != first.json["id"]
    assert titles(program.user) == ["Buy milk"]
    program.ask("DELETE", f"tasks/{first.json['id']}")
    assert program.post("tasks", {"title": "Buy milk"}, **key).problem == (404, "not_found")


def test_a_task_is_moved_beside_another_one_and_changed_at_once_or_not_at_all(program: Program) -> None:
    one, _, three = add(program.user, "One", "Two", "Three")
    path = f"tasks/{three.pk}"
    assert program.ask("PATCH", path, {"before": str(one.pk), "title": "Third"}).json["title"] == "Third"
    assert listed(program) == ["Third", "One", "Two"]
    program.ask("PATCH", path, {"after": str(one.pk)})
    assert listed(program) == ["One", "Third", "Two"]
    refused = program.ask("PATCH", path, {"before": str(uuid4()), "title": "Lost"})
    assert refused.problem == (404, "not_found")
    assert listed(program) == ["One", "Third", "Two"]


def test_a_full_list_is_a_problem(program: Program) -> None:
    many = (Task(user=program.user, title=f"Task {number}", position=number) for number in range(1_000))
    Task.objects.bulk_create(many)
    assert program.post("tasks", {"title": "One more"}).problem == (409, "too_many_tasks")
