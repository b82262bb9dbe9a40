"""Usage of the models, aggregated by hours and days of UTC; anonymous except for recent activity.

`conversations.usage` counts and reads it. Hours are kept for some days, days permanently.
"""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from conversations.models.configurations import MODEL_MAX_CHARS


class Grain(models.TextChoices):
    """Length of time that a row aggregates."""

    HOUR = "hour"
    DAY = "day"


class Measure(models.TextChoices):
    """A measured duration of a reply, in milliseconds."""

    ADDED = "added", "added latency"
    FIRST_TOKEN = "first_token", "time to first token"


class AddedUp(models.Model):
    """A row about one hour or one day."""

    grain = models.CharField(max_length=4, choices=Grain)
    began_at = models.DateTimeField()

    class Meta:
        abstract = True


class Usage(AddedUp):
    """Ended replies by model and outcome, with their tokens."""

    model = models.CharField(max_length=MODEL_MAX_CHARS)
    status = models.CharField(max_length=11)
    error_code = models.CharField(max_length=50)
    replies = models.PositiveIntegerField()
    prompt_tokens = models.PositiveBigIntegerField()
    completion_tokens = models.PositiveBigIntegerField()

    class Meta:
        default_permissions = ("view",)
        verbose_name = verbose_name_plural = "dashboard"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("grain", "began_at", "model", "status", "error_code"), name="usage_is_counted_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.replies} {self.status} replies of {self.model} in the {self.grain} of {self.began_at}"


class UsageLatency(AddedUp):
    """Number of replies per bucket of a duration's histogram: see `conversations.usage.buckets`."""

    # Null differs from an empty name, which is of a turn that failed before a model was asked.
    model = models.CharField(max_length=MODEL_MAX_CHARS, null=True, help_text="Null: all models together.")  # noqa: DJ001
    measure = models.CharField(max_length=11, choices=Measure)
    bucket = models.SmallIntegerField()
    replies = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("grain", "began_at", "model", "measure", "bucket"),
                name="usage_latency_is_counted_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.replies} replies in bucket {self.bucket} of {self.measure}"


class UsagePeople(AddedUp):
    """Number of active people, by the hour or day of each one's previous activity.

    This makes distinct people of a longer range countable: they are those whose previous activity is before the range.
    """

    previous = models.DateTimeField(null=True, help_text="Empty: none within the longest range that is counted.")
    people = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("grain", "began_at", "previous"), name="usage_people_are_counted_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.people} people in the {self.grain} of {self.began_at}"


class UsagePresence(AddedUp):
    """A person was active in an hour or a day; kept as long as counting people needs it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="+", db_index=False)

    class Meta:
        default_permissions = ()
        indexes: ClassVar = [models.Index(fields=("grain", "began_at"), name="usage_presence_when")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("user", "grain", "began_at"), name="usage_presence_is_noted_once")
        ]

    def __str__(self) -> str:
        return f"active in the {self.grain} of {self.began_at}"


class UsageMark(models.Model):
    """The time up to which usage is counted: one row, locked by the process that counts."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    counted_to = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=models.Q(id=1), name="usage_has_one_mark"),
        ]

    def __str__(self) -> str:
        return f"counted to {self.counted_to}"
