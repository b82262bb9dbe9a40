"""The to-do list's page: what it shows to whom, and what its forms do, with htmx and without."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from uuid_utils.compat import uuid7

from accounts.models import User
from tasks import actions, pages
from tasks.models import Task
from tests.support.elements import read
from tests.support.pages import HTMX, page
from tests.tasks.factories import add, titles

KEY = "0" * 32
"""The key of no task."""

pytestmark = pytest.mark.django_db

NASTY = '<img src=x onerror="alert(1)">{{ 7 }}&amp;'
FORM = {"title": "New", "description": "", "due": ""}


def shown(html: str) -> list[str]:
    """The titles of the tasks that the page shows."""
    return [words.words for words in read(html).all("li.task .words")]


def counts(html: str) -> list[str]:
    """The numbers beside the names of the lists."""
    return [count.words for count in read(html).all(".tabs .count")]


def test_the_page_shows_the_open_tasks_in_their_order(user: User, signed_in: Client, stranger: User) -> None:
    add(stranger, "Theirs")
    done, *_ = add(user, "Done", "Buy milk", "Call Ana")
    actions.complete(done)
    html = page(signed_in, "/tasks/")
    assert shown(html) == ["Buy milk", "Call Ana"]
    assert counts(html) == ["2", "0", "0", "1"]
    assert shown(page(signed_in, "/tasks/?show=done")) == ["Done"]


def test_an_empty_list_says_what_it_is_for(signed_in: Client) -> None:
    for show, words in (("open", "Add a task above"), ("today", "due today"), ("overdue", "overdue"), ("done", "kept")):
        html = page(signed_in, f"/tasks/?show={show}")
        assert words in read(html).one(".tasks .help").words
    assert shown(page(signed_in, "/tasks/?show=nonsense")) == []


def test_today_is_the_readers_day(user: User, signed_in: Client) -> None:
    # At any moment it is one day here and another one there.
    here, there = "Pacific/Kiritimati", "Pacific/Midway"
    with timezone.override(here):
        day = timezone.localdate()
    add(user, "Due", due=day)
    signed_in.cookies["timezone"] = here
    assert shown(page(signed_in, "/tasks/?show=today")) == ["Due"]
    assert read(page(signed_in, "/tasks/")).one("li.task time").words == "Today"
    with timezone.override(there):
        is_there_yet = timezone.localdate() == day
    signed_in.cookies["timezone"] = there
    assert shown(page(signed_in, "/tasks/?show=today")) == (["Due"] if is_there_yet else [])
    signed_in.cookies["timezone"] = "Nowhere/At/All"
    assert shown(page(signed_in, "/tasks/")) == ["Due"]


def test_days_are_said_as_people_say_them(user: User, signed_in: Client) -> None:
    today = timezone.localdate()
    days = {
        today - timedelta(days=1): "Overdue · Yesterday",
        today: "Today",
        today + timedelta(days=1): "Tomorrow",
        date(2999, 3, 1): "1 Mar 2999",
        date(1, 1, 1): "Overdue · 1 Jan 0001",
    }
    add(user, "First", due=None)
    for day in days:
        actions.add(user, title=f"Due {day}", due=day)
    html = page(signed_in, "/tasks/")
    said = {element["datetime"]: element.words for element in read(html).all("li.task time")}
    assert said == {day.isoformat(): words for day, words in days.items()}
    assert shown(page(signed_in, "/tasks/?show=overdue")) == ["Due 0001-01-01", f"Due {today - timedelta(days=1)}"]


def test_a_form_adds_a_task_once(user: User, signed_in: Client) -> None:
    key = read(page(signed_in, "/tasks/")).one('form.new-task input[name="key"]')["value"]
    for _ in range(2):
        posted = signed_in.post("/tasks/", {"title": "Buy milk", "due": "2027-01-31", "key": key, "next": "/tasks/"})
        assert (posted.status_code, posted["Location"]) == (302, "/tasks/")
    assert [(task.title, task.due) for task in Task.objects.all()] == [("Buy milk", date(2027, 1, 31))]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"title": " "}, "what is to be done"),
        ({"title": "x" * 201}, "too long"),
        ({"title": "Fine", "due": "31.1."}, "not a day"),
        ({}, "what is to be done"),
    ],
)
def test_a_refused_form_says_why_and_keeps_what_was_typed(
    user: User, signed_in: Client, fields: dict[str, str], sentence: str
) -> None:
    whole = signed_in.post("/tasks/", fields | {"next": "/tasks/"})
    assert whole.status_code == 422
    html = whole.content.decode()
    assert sentence in read(html).one("#notice").words
    assert read(html).one("#new-title")["value"] == fields.get("title", "")
    part = signed_in.post("/tasks/", fields, headers=HTMX)
    assert part.status_code == 422
    assert "<html" not in part.content.decode()
    assert sentence in part.content.decode()
    assert not Task.objects.exists()


def test_a_full_list_is_a_sentence(user: User, signed_in: Client, settings: Settings) -> None:
    settings.TASKS_PER_USER = 1
    add(user, "One")
    refused = signed_in.post("/tasks/", {"title": "Two"})
    assert refused.status_code == 409
    assert "limit of 1 tasks" in refused.content.decode()


def test_without_a_script_each_button_leads_back_to_its_list(user: User, signed_in: Client) -> None:
    one, two = add(user, "One", "Two", due=timezone.localdate())
    here = "/tasks/?show=today"
    for path, fields in (
        (f"/tasks/{two.pk}/move/", {"direction": "up"}),
        (f"/tasks/{one.pk}/", FORM),
        (f"/tasks/{two.pk}/complete/", {}),
        (f"/tasks/{two.pk}/reopen/", {}),
        (f"/tasks/{one.pk}/delete/", {}),
    ):
        posted = signed_in.post(path, fields | {"next": here})
        assert (posted.status_code, posted["Location"]) == (302, here), path
    assert titles(user) == ["Two"]
    html = page(signed_in, here)
    assert "Deleted “New”." in html
    undo = read(html).one('.toast form[action="/tasks/restore/"]')
    restored = signed_in.post(undo["action"], {"at": undo.one('input[name="at"]')["value"], "next": here})
    assert restored["Location"] == here
    assert titles(user) == ["Two", "New"]


def test_a_form_leads_nowhere_but_to_a_list(user: User, signed_in: Client) -> None:
    (task,) = add(user, "One")
    for there in ("https://evil.example/tasks/", "//evil.example/tasks/", "/admin/", "", "javascript:alert(1)"):
        posted = signed_in.post(f"/tasks/{task.pk}/complete/", {"next": there})
        assert posted["Location"] == "/tasks/", there


def test_with_htmx_the_answer_is_the_list_with_what_to_read_aloud(user: User, signed_in: Client) -> None:
    one, two = add(user, "One", "Two")

    def answer(path: str, **fields: Any) -> str:
        posted = signed_in.post(path, fields | {"next": "/tasks/"}, headers=HTMX)
        assert posted.status_code == 200, path
        html = posted.content.decode()
        assert "<html" not in html
        return html

    html = answer(f"/tasks/{one.pk}/complete/")
    assert shown(html) == ["Two"]
    assert counts(html) == ["1", "0", "0", "1"]
    assert read(html).one("#tasks")["data-said"] == "Completed “One”."
    assert read(html).one("#count-tasks").words == "1 open"
    assert shown(answer("/tasks/", title="Three")) == ["Three", "Two"]
    html = answer(f"/tasks/{two.pk}/delete/")
    assert shown(html) == ["Three"]
    assert "Deleted “Two”." in html
    at = read(html).one('#undo input[name="at"]')["value"]
    assert shown(answer("/tasks/restore/", at=at)) == ["Three", "Two"]


def test_a_step_goes_over_what_the_list_does_not_show(user: User, signed_in: Client) -> None:
    today = timezone.localdate()
    one, _, three = add(user, "One", "Not today", "Three")
    for task in (one, three):
        actions.update(task, due=today)
    here = "/tasks/?show=today"
    signed_in.post(f"/tasks/{three.pk}/move/", {"direction": "up", "next": here})
    assert titles(user) == ["Three", "One", "Not today"]
    end = signed_in.post(f"/tasks/{three.pk}/move/", {"direction": "up", "next": here}, headers=HTMX)
    assert (end.status_code, "at the end" in end.content.decode()) == (409, True)
    signed_in.post(f"/tasks/{three.pk}/move/", {"after": one.pk, "next": here})
    assert titles(user) == ["One", "Three", "Not today"]
    signed_in.post(f"/tasks/{three.pk}/move/", {"before": one.pk, "next": here})
    assert titles(user) == ["Three", "One", "Not today"]


def test_a_task_is_changed_on_its_page_and_in_its_row(user: User, signed_in: Client) -> None:
    (task,) = add(user, "Buy milk", description="Two litres", due=date(2027, 1, 31))
    for headers in ({}, HTMX):
        html = page(signed_in, f"/tasks/{task.pk}/?next=/tasks/", **headers)
        form = read(html).one("form.task-form")
        assert form.one('input[name="title"]')["value"] == "Buy milk"
        assert form.one("textarea").words == "Two litres"
        assert form.one('input[name="due"]')["value"] == "2027-01-31"
        refused = signed_in.post(f"/tasks/{task.pk}/", FORM | {"title": " ", "description": "Typed"}, headers=headers)
        assert refused.status_code == 422
        assert "what is to be done" in refused.content.decode()
        assert headers or "Typed" in refused.content.decode()
    signed_in.post(f"/tasks/{task.pk}/", {"title": "Buy oat milk", "description": "", "due": ""})
    task.refresh_from_db()
    assert (task.title, task.description, task.due) == ("Buy oat milk", "", None)


def test_whoever_has_seen_the_list_is_told_of_changes_only(user: User, signed_in: Client) -> None:
    (task,) = add(user, "Buy milk")
    look = read(page(signed_in, "/tasks/")).one("#tasks")["data-tasks"]
    assert signed_in.get(look, headers=HTMX).status_code == 204
    actions.update(task, title="Buy oat milk")
    html = page(signed_in, look, **HTMX)
    assert shown(html) == ["Buy oat milk"]
    assert signed_in.get(read(html).one("#tasks")["data-tasks"], headers=HTMX).status_code == 204


def test_a_look_at_an_unchanged_list_costs_one_query_besides_the_sign_in(
    user: User, signed_in: Client, django_assert_num_queries: Any
) -> None:
    add(user, *(f"Task {number}" for number in range(30)))
    look = read(page(signed_in, "/tasks/")).one("#tasks")["data-tasks"]
    # The session, the person, the version of the list.
    with django_assert_num_queries(3):
        assert signed_in.get(look, headers=HTMX).status_code == 204


def test_the_page_costs_the_same_queries_however_many_tasks_there_are(
    user: User, signed_in: Client, django_assert_num_queries: Any
) -> None:
    # The session, the person, the version, the tasks, their numbers, the sidebar's two.
    with django_assert_num_queries(7):
        page(signed_in, "/tasks/")
    add(user, *(f"Task {number}" for number in range(60)))
    with django_assert_num_queries(7):
        page(signed_in, "/tasks/")


def test_a_long_list_goes_on_on_further_pages(user: User, signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE", 2)
    tasks = add(user, "One", "Two", "Three", "Four", "Five")
    for show in ("open", "done"):
        seen, address = list[str](), f"/tasks/?show={show}"
        while address:
            html = page(signed_in, address)
            seen += shown(html)
            further = [link["href"] for link in read(html).all("a") if link.words == "More tasks"]
            address = further[0] if further else ""
            assert not further or len(shown(html)) == 2
        assert len(seen) == len(set(seen)) == 5
        if show == "open":
            assert seen == titles(user)
            # A step up from the top of the second page leads to the first one.
            signed_in.post(f"/tasks/{tasks[2].pk}/move/", {"direction": "up", "next": "/tasks/"})
            assert titles(user)[1] == "Three"
            for task in tasks:
                actions.complete(task)
        else:
            assert seen == ["Five", "Four", "Three", "Two", "One"]


@pytest.mark.parametrize("query", ["after=x", "after=1-2", f"after={2**64}-{KEY}", f"show=done&after={10**18}9-{KEY}"])
def test_a_place_that_is_none_is_refused(signed_in: Client, query: str) -> None:
    assert signed_in.get(f"/tasks/?{query}").status_code == 400


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/tasks/restore/", {"at": "x"}),
        ("/tasks/restore/", {}),
        ("move/", {}),
        ("move/", {"direction": "in"}),
        ("move/", {"before": "x"}),
    ],
)
def test_a_form_that_no_page_has_is_refused(user: User, signed_in: Client, path: str, fields: dict[str, str]) -> None:
    (task,) = add(user, "One")
    assert signed_in.post(path if path.startswith("/") else f"/tasks/{task.pk}/{path}", fields).status_code == 400


ADDRESSES = {
    "tasks": ("/tasks/", FORM),
    "restore": ("/tasks/restore/", {"at": "1"}),
    "change": ("/tasks/{}/", FORM),
    "complete": ("/tasks/{}/complete/", {}),
    "reopen": ("/tasks/{}/reopen/", {}),
    "move": ("/tasks/{}/move/", {"direction": "up"}),
    "delete": ("/tasks/{}/delete/", {}),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_strangers_and_the_anonymous_find_nothing(user: User, client: Client, other_client: Client, name: str) -> None:
    (task,) = add(user, "Secret")
    path, fields = ADDRESSES[name]
    address = path.format(task.pk)
    assert client.post(address, fields)["Location"].startswith("/accounts/login/")
    assert client.get(address)["Location"].startswith("/accounts/login/")
    theirs = other_client.post(address, fields, headers=HTMX)
    assert theirs.status_code == (200 if name == "tasks" else 404)
    assert "Secret" not in theirs.content.decode()
    if name in ("tasks", "change"):
        assert "Secret" not in other_client.get(address).content.decode()
    before = task.updated_at
    task.refresh_from_db()
    assert (task.title, task.updated_at, task.deleted_at) == ("Secret", before, None)


def test_what_was_typed_is_text_everywhere(user: User, signed_in: Client) -> None:
    (task,) = add(user, NASTY, description=NASTY, due=timezone.localdate())
    for address in ("/tasks/", f"/tasks/{task.pk}/", f"/tasks/?after={NASTY}", f"/tasks/?show={NASTY}"):
        assert "<img src=x" not in signed_in.get(address).content.decode(), address
    signed_in.post(f"/tasks/{task.pk}/delete/", {"next": f"/tasks/?show={NASTY}"})
    assert "<img src=x" not in page(signed_in, "/tasks/")
    refused = signed_in.post("/tasks/", {"title": NASTY, "due": NASTY})
    assert "<img src=x" not in refused.content.decode()


def test_the_sidebar_of_every_page_counts_the_open_tasks(user: User, signed_in: Client) -> None:
    done, *_ = add(user, "Done", "Open", "Open too")
    actions.complete(done)
    for path in ("/", "/archive/", "/tasks/"):
        link = read(page(signed_in, path)).one('.sidebar a[href="/tasks/"]')
        assert re.sub(r"\s+", " ", link.words) == "Tasks 2 open"
    for task in Task.objects.all():
        actions.complete(task)
    assert read(page(signed_in, "/")).one("#count-tasks").words == ""


def test_a_repeated_key_of_a_deleted_task_says_so(user: User, signed_in: Client) -> None:
    key = uuid7()
    actions.delete(actions.add(user, title="Buy milk", key=key))
    refused = signed_in.post("/tasks/", {"title": "Buy milk", "key": str(key)}, headers=HTMX)
    assert refused.status_code == 404
    assert "deleted meanwhile" in refused.content.decode()
