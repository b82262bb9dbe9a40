"""Tasks, and the querysets at which every check of ownership starts."""

from datetime import date, datetime, timedelta
from typing import ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.urls import reverse
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.models import User
from chatbot.core.cursors import microseconds
from tasks.texts import DESCRIPTION_MAX_CHARS, TITLE_MAX_CHARS

RESTORABLE = timedelta(days=1)
"""Time for which a deleted task can be restored."""

KEPT = models.Q(deleted_at=None)
OPEN = KEPT & models.Q(completed_at=None)
DONE = KEPT & models.Q(completed_at__isnull=False)
DELETED = models.Q(deleted_at__isnull=False)


def restore_expiry() -> datetime:
    """Time before which deleted tasks can be neither restored nor seen."""
    return timezone.now() - RESTORABLE


class Place:
    """A place in a list of tasks, as a cursor: the number by which the list is ordered, and a task's key."""

    def __init__(self, number: int, key: UUID) -> None:
        self.number = number
        self.key = key

    def __str__(self) -> str:
        return f"{self.number}-{self.key.hex}"

    @classmethod
    def parse(cls, text: str) -> "Place | None":
        """The place that `str()` has written; None for an empty text. Raises `ValueError` for anything else."""
        if not text:
            return None
        number, _, key = text.rpartition("-")
        if not -(2**63) <= int(number) < 2**63:
            raise ValueError("That is not a place in a list.")
        return cls(int(number), UUID(hex=key))


class TaskQuerySet(models.QuerySet["Task"]):
    """Tasks of one person or, for staff and upkeep, of all."""

    def owned_by(self, user: User | AnonymousUser) -> Self:
        """This person's tasks without the deleted ones; none for an anonymous user."""
        return self.filter(KEPT, user_id=user.pk) if user.pk else self.none()

    def deleted_by(self, user: User | AnonymousUser) -> Self:
        """This person's deleted tasks that can still be restored."""
        return self.filter(user_id=user.pk, deleted_at__gt=restore_expiry()) if user.pk else self.none()

    def expired(self) -> Self:
        """Deleted tasks of anybody that can no longer be restored, to be removed permanently."""
        return self.filter(deleted_at__lte=restore_expiry())

    def open(self) -> Self:
        """Tasks that are still to be done."""
        return self.filter(OPEN)

    def done(self) -> Self:
        """Tasks that are done, and not deleted."""
        return self.filter(DONE)

    def due_on(self, day: date) -> Self:
        """Open tasks that are due on this day."""
        return self.open().filter(due=day)

    def overdue(self, day: date) -> Self:
        """Open tasks that were due before this day."""
        return self.open().filter(due__lt=day)

    def in_order(self) -> Self:
        """In the order that the person gave them."""
        return self.order_by("position", "id")

    def last_done_first(self) -> Self:
        """By the time of completion, latest first."""
        return self.order_by("-completed_at", "-id")


class Task(models.Model):
    """Something that a person has to do."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Lists by person use the composite indexes below.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="tasks", db_index=False)
    title = models.CharField(max_length=TITLE_MAX_CHARS)
    description = models.CharField(max_length=DESCRIPTION_MAX_CHARS, blank=True)
    due = models.DateField(null=True, blank=True, help_text="The day on which it is due.")
    # Numbers with gaps, so that a move changes one row: see `tasks/positions.py`.
    position = models.BigIntegerField(editable=False)
    completed_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar = TaskQuerySet.as_manager()

    class Meta:
        permissions: ClassVar = [("read_task", "Can read what tasks say")]
        indexes: ClassVar = [
            models.Index(fields=("user", "position", "id"), name="task_user_position"),
            models.Index(fields=("user", "position", "id"), name="task_user_open", condition=OPEN),
            models.Index(fields=("user", "-completed_at", "-id"), name="task_user_done", condition=DONE),
            models.Index(fields=("user", "-deleted_at"), name="task_user_deleted", condition=DELETED),
            models.Index(fields=("deleted_at",), name="task_deleted", condition=DELETED),
            models.Index(fields=("created_at",), name="task_created"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(title__regex=r"\S"), name="task_title_is_not_blank"),
            # PostgreSQL knows later days, and infinity, which Python cannot read.
            models.CheckConstraint(
                condition=models.Q(due=None) | models.Q(due__range=(date.min, date.max)), name="task_due_is_in_range"
            ),
        ]

    def __str__(self) -> str:
        # Not the title: this text is in logs and visible to staff who may not read tasks.
        return f"task {self.pk}"

    def get_absolute_url(self) -> str:
        """Address of the page on which its owner changes it."""
        return reverse("task-detail", args=(self.pk,))

    @property
    def is_done(self) -> bool:
        """Whether the person has completed it."""
        return self.completed_at is not None

    @property
    def place(self) -> Place:
        """Its place in the list that it is in: of open tasks, or of all."""
        return Place(self.position, self.pk)

    @property
    def place_among_done(self) -> Place:
        """Its place in the list of done tasks, the last one completed first."""
        return Place(microseconds(self.completed_at) if self.completed_at else 0, self.pk)


class TaskList(models.Model):
    """The list of one person: its row is locked by whatever changes the tasks in it, and counts these changes."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.DB_CASCADE, primary_key=True, related_name="+")
    version = models.BigIntegerField(help_text="Rises with every change of a task.")

    def __str__(self) -> str:
        return f"list of {self.user_id}"
