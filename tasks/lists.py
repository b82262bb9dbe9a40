"""The lists of a person's tasks: what is in each, how many there are, page by page, and whether anything changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from django.db.models import Count, Q

from accounts.models import User
from chatbot.core import sql
from chatbot.core.cursors import from_microseconds
from tasks.errors import TaskGone
from tasks.models import DONE, OPEN, Place, Task, TaskList, TaskQuerySet

CHANGE = """
INSERT INTO tasks_tasklist (user_id, version)
SELECT id, 1 FROM accounts_user WHERE id = %s FOR KEY SHARE
ON CONFLICT (user_id) DO UPDATE SET version = tasks_tasklist.version + 1
RETURNING version
"""
"""Locks the account against its removal before the list, in the order in which a removal locks them."""


class Show(StrEnum):
    """Which of a person's tasks a list shows."""

    OPEN = "open"
    TODAY = "today"
    OVERDUE = "overdue"
    DONE = "done"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of a person's tasks; those due today and the overdue ones are open, too."""

    open: int
    today: int
    overdue: int
    done: int


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list."""

    tasks: Sequence[Task]
    next_place: Place | None
    """Where the next page goes on; None on the last one."""


def change(user_id: UUID) -> int:
    """Lock the person's list until the transaction ends, and count the change; returns the list's new version.

    Raises `TaskGone` for a person without an account. Causes a query.
    """
    version = sql.value(CHANGE, [user_id])
    if version is None:
        raise TaskGone
    return int(version)


def version(user: User) -> int:
    """The number of changes of this person's tasks so far. Causes a query of one row by its key."""
    found = TaskList.objects.filter(pk=user.pk).values_list("version", flat=True).first()
    return found or 0


def shown(user: User, show: Show, *, today: date) -> TaskQuerySet:
    """The tasks in one of the person's lists, in its order."""
    owned = Task.objects.owned_by(user)
    match show:
        case Show.OPEN:
            return owned.open().in_order()
        case Show.TODAY:
            return owned.due_on(today).in_order()
        case Show.OVERDUE:
            return owned.overdue(today).in_order()
        case Show.DONE:
            return owned.done().last_done_first()
        case Show.ALL:
            return owned.in_order()


def page(user: User, show: Show, *, today: date, place: Place | None, size: int) -> Page:
    """The next `size` tasks of a list after a place, or its first ones. Causes a query. Raises `ValueError`."""
    found = list(after(shown(user, show, today=today), show, place)[: size + 1])
    tasks = found[:size]
    if len(found) == len(tasks):
        return Page(tasks, None)
    return Page(tasks, tasks[-1].place_among_done if show is Show.DONE else tasks[-1].place)


def counts(user: User, *, today: date) -> Counts:
    """The numbers of the person's tasks in each list. Causes a query."""
    numbers = Task.objects.owned_by(user).aggregate(
        open=Count("pk", filter=OPEN),
        today=Count("pk", filter=OPEN & Q(due=today)),
        overdue=Count("pk", filter=OPEN & Q(due__lt=today)),
        done=Count("pk", filter=DONE),
    )
    return Counts(**numbers)


def neighbour(task: Task, show: Show, *, today: date, is_above: bool) -> Task | None:
    """The task right above, or right below, this one in a list that it is in; None at its end. Causes a query."""
    tasks = shown(task.user, show, today=today)
    here = Q(position=task.position)
    if is_above:
        others = tasks.filter(Q(position__lt=task.position) | here & Q(pk__lt=task.pk)).reverse()
    else:
        others = tasks.filter(Q(position__gt=task.position) | here & Q(pk__gt=task.pk))
    found: Task | None = others.first()
    return found


def after(tasks: TaskQuerySet, show: Show, place: Place | None) -> TaskQuerySet:
    """Those of a list's tasks that come after a place; all without one. Raises `ValueError` for a time that is none."""
    if place is None:
        return tasks
    # Written as a range and an exclusion, so that the index scan starts at the place.
    if show is Show.DONE:
        time = from_microseconds(str(place.number))
        return tasks.filter(completed_at__lte=time).exclude(completed_at=time, id__gte=place.key)
    return tasks.filter(position__gte=place.number).exclude(position=place.number, id__lte=place.key)
