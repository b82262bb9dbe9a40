"""What a person can do with tasks, by whichever way: each verb is one transaction, under the lock of the person's list.

A change is one conditional UPDATE that says whether it was this call's. What does not exist any more raises `TaskGone`.
"""

from datetime import date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.models import User
from tasks import lists, positions
from tasks.errors import AtTheEnd, NothingToRestore, TaskGone, TooManyTasks
from tasks.lists import Show
from tasks.models import DELETED, KEPT, Task, TaskQuerySet
from tasks.texts import clean_description, clean_title

DELETED_MAX = 100
"""Most deleted tasks that are kept for one person, however many were deleted within the time."""


class Unset(Enum):
    """The value of a field that a change leaves as it is, where None means something."""

    UNSET = "unset"


UNSET = Unset.UNSET


@transaction.atomic
def add(user: User, *, title: str, description: str = "", due: date | None = None, key: UUID | None = None) -> Task:
    """Add a task above the others. Repeated with the same key, it returns the task that the first call stored.

    Raises `TooManyTasks`, `TaskGone` when the task with the key was deleted, and `ValueError` for a text that is none.
    """
    title, description = clean_title(title), clean_description(description)
    lists.change(user.pk)
    known = Task.objects.filter(pk=key).first() if key else None
    if known and known.user_id == user.pk:
        if known.deleted_at:
            raise TaskGone
        return known
    _make_room(user.pk, 1)
    return Task.objects.create(
        # Somebody else's key says nothing about this task.
        pk=uuid7() if known or key is None else key,
        user=user,
        title=title,
        description=description,
        due=due,
        position=positions.first(user.pk),
    )


@transaction.atomic
def update(
    task: Task,
    *,
    title: str | None = None,
    description: str | None = None,
    due: date | Unset | None = UNSET,
    done: bool | None = None,
) -> Task:
    """Change the fields that are given, and return the task as it is now. A `due` of None removes the date.

    Raises `TaskGone`, and `ValueError` for a text that is none.
    """
    now = timezone.now()
    changes: dict[str, Any] = {"updated_at": now}
    if title is not None:
        changes["title"] = clean_title(title)
    if description is not None:
        changes["description"] = clean_description(description)
    if due is not UNSET:
        changes["due"] = due
    if done is not None:
        # The time of a task that is done already stays.
        changes["completed_at"] = Coalesce(F("completed_at"), now) if done else None
    lists.change(task.user_id)
    if not _only(task).filter(KEPT).update(**changes):
        raise TaskGone
    return Task.objects.get(pk=task.pk)


@transaction.atomic
def complete(task: Task) -> bool:
    """Mark the task as done; returns whether it was open. Raises `TaskGone`."""
    lists.change(task.user_id)
    now = timezone.now()
    won = _only(task).open().update(completed_at=now, updated_at=now)
    return bool(won) or _must_exist(task)


@transaction.atomic
def reopen(task: Task) -> bool:
    """Mark the task as still to be done; returns whether it was done. Raises `TaskGone`."""
    lists.change(task.user_id)
    won = _only(task).done().update(completed_at=None, updated_at=timezone.now())
    return bool(won) or _must_exist(task)


@transaction.atomic
def move(task: Task, *, before: UUID | None = None, after: UUID | None = None) -> None:
    """Put the task right before, or right after, another one of the person's. Raises `TaskGone` if either is gone."""
    lists.change(task.user_id)
    beside = before or after
    other = Task.objects.filter(KEPT, user_id=task.user_id, pk=beside).first() if beside else None
    if other is None:
        raise TaskGone
    if other.pk == task.pk:
        return
    position = positions.beside(other, task, is_above=before is not None)
    if not _only(task).filter(KEPT).update(position=position, updated_at=timezone.now()):
        raise TaskGone


@transaction.atomic
def step(task: Task, *, show: Show, today: date, is_up: bool) -> None:
    """Move the task a step up or down in a list that shows it, over what the list does not show.

    Raises `TaskGone`, and `AtTheEnd` where there is no further step.
    """
    other = lists.neighbour(task, show, today=today, is_above=is_up)
    if other is None:
        raise AtTheEnd(title=task.title)
    move(task, **{"before" if is_up else "after": other.pk})


@transaction.atomic
def delete(task: Task) -> datetime:
    """Delete the task, which can be restored for a day; returns the time by which `restore` finds it.

    Raises `TaskGone`. Of tasks that were deleted earlier, those that nobody can or will restore are removed for good.
    """
    lists.change(task.user_id)
    now = timezone.now()
    if not _only(task).filter(KEPT).update(deleted_at=now):
        raise TaskGone
    deleted = Task.objects.filter(DELETED, user_id=task.user_id)
    deleted.expired().delete()
    too_many = deleted.order_by("-deleted_at").values("pk")[DELETED_MAX:]
    Task.objects.filter(pk__in=list(too_many.values_list("pk", flat=True))).delete()
    return now


@transaction.atomic
def restore(user: User, *, at: datetime) -> int:
    """Put back the tasks that were deleted at this time, as they were; returns how many.

    Raises `NothingToRestore` and `TooManyTasks`.
    """
    lists.change(user.pk)
    deleted = Task.objects.deleted_by(user).filter(deleted_at=at)
    _make_room(user.pk, deleted.count())
    restored = deleted.update(deleted_at=None)
    if not restored:
        raise NothingToRestore
    return restored


@transaction.atomic
def erase(tasks: TaskQuerySet) -> int:
    """Remove tasks of anybody permanently, for staff; returns how many. Causes two queries for each person."""
    for user_id in sorted(set(tasks.order_by().values_list("user_id", flat=True))):
        lists.change(user_id)
    return tasks.delete()[0]


def _only(task: Task) -> TaskQuerySet:
    """The stored row of this task, if it still belongs to its person."""
    return Task.objects.filter(pk=task.pk, user_id=task.user_id)


def _must_exist(task: Task) -> bool:
    """False, for a change that was made already. Raises `TaskGone`."""
    if not _only(task).filter(KEPT).exists():
        raise TaskGone
    return False


def _make_room(user_id: UUID, count: int) -> None:
    """Raise `TooManyTasks` unless so many more fit."""
    if Task.objects.filter(KEPT, user_id=user_id).count() + count > settings.TASKS_PER_USER:
        raise TooManyTasks(limit=settings.TASKS_PER_USER)
