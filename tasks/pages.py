"""What the to-do list's page shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from uuid_utils.compat import uuid7

from accounts.models import User
from tasks import lists
from tasks.lists import Counts, Show
from tasks.models import Place, Task

PAGE = 100
LABELS = {Show.OPEN: "Open", Show.TODAY: "Today", Show.OVERDUE: "Overdue", Show.DONE: "Done"}
EMPTY = {
    Show.OPEN: "Nothing to do. Add a task above.",
    Show.TODAY: "Nothing is due today.",
    Show.OVERDUE: "Nothing is overdue.",
    Show.DONE: "What you complete is kept here.",
}


@dataclass(frozen=True, slots=True)
class ShownTask:
    """A task as a page shows it on a day."""

    task: Task
    today: date

    @property
    def due_words(self) -> str:
        """Its day in words, as one says it today; empty without a day."""
        due = self.task.due
        if due is None:
            return ""
        near = {-1: "Yesterday", 0: "Today", 1: "Tomorrow"}
        if words := near.get((due - self.today).days):
            return words
        return date_format(due, "j M" if due.year == self.today.year else "j M Y")

    @property
    def is_overdue(self) -> bool:
        """Whether it is open, and its day is over."""
        return not self.task.is_done and self.task.due is not None and self.task.due < self.today


@dataclass(frozen=True, slots=True)
class Tab:
    """A link to one of the lists."""

    show: Show
    label: str
    count: int
    url: str
    is_current: bool


def today() -> date:
    """The day that it is for the reader."""
    return timezone.localdate()


def address(show: Show, **more: str) -> str:
    """Address of a list's page; the open tasks' has nothing behind the path."""
    query = urlencode(({} if show is Show.OPEN else {"show": show.value}) | more)
    return f"{reverse('tasks')}?{query}" if query else reverse("tasks")


def token(user: User) -> str:
    """The state of what a page shows: changes with the tasks, and at midnight. Causes a query of one row."""
    return f"{lists.version(user)}.{today():%Y%m%d}"


def list_context(user: User, show: Show, *, after: Place | None = None) -> dict[str, Any]:
    """Context of a page's list. Causes three queries. Raises `ValueError` for a place that is none."""
    day = today()
    # Read first: what changes between two queries is shown again at the next look.
    seen = token(user)
    page = lists.page(user, show, today=day, place=after, size=PAGE)
    numbers = lists.counts(user, today=day)
    here = address(show, **({"after": str(after)} if after else {}))
    return {
        "listing": "tasks",
        "show": show.value,
        "here": here,
        "look": address(show, **({"after": str(after)} if after else {}), seen=seen),
        "tabs": tabs(show, numbers),
        "counts": numbers,
        "tasks": [ShownTask(task, day) for task in page.tasks],
        "is_ordered": show is not Show.DONE,
        "next_url": address(show, after=str(page.next_place)) if page.next_place else "",
        "first_url": address(show) if after else "",
        "empty": EMPTY[show],
        "title": LABELS[show],
        "key": uuid7(),
    }


def tabs(show: Show, numbers: Counts) -> Iterable[Tab]:
    """The links to all lists, with how many tasks are in each."""
    return [
        Tab(each, label, getattr(numbers, each.value), address(each), each is show) for each, label in LABELS.items()
    ]


def edit_context(task: Task, show: Show, here: str) -> dict[str, Any]:
    """Context of the form that changes a task, which leads back to the page `here`."""
    return {
        "listing": "tasks",
        "show": show.value,
        "here": here,
        "shown": ShownTask(task, today()),
        "typed": {
            "title": task.title,
            "description": task.description,
            "due": task.due.isoformat() if task.due else "",
        },
    }
