"""What was asked of the models, added up by hours and days of UTC: it names nobody, but for who was there lately.

`conversations.usage` counts and reads it. Hours are kept for some days, days for good.
"""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from conversations.models.configurations import MODEL_MAX_CHARS


class Grain(models.TextChoices):
    """How long the stretch of time is that a row adds up."""

    HOUR = "hour"
    DAY = "day"


class Measure(models.TextChoices):
    """What was timed of a reply, in milliseconds."""

    ADDED = "added", "added latency"
    FIRST_TOKEN = "first_token", "time to first token"


class AddedUp(models.Model):
    """A row about one hour or one day."""

    grain = models.CharField(max_length=4, choices=Grain)
    began_at = models.DateTimeField()

    class Meta:
        abstract = True


class Usage(AddedUp):
    """Replies that ended, by model and by how they ended, and the tokens of these."""

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
    """How many replies took how long: one bucket of a histogram, see `conversations.usage.buckets`."""

    # Not the same: a turn that failed before a model was asked has an empty name.
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
    """How many people were active, by the hour or day in which each had been active before.

    So how many different people a longer time saw can be added up: they are those whose time before lay outside.
    """

    previous = models.DateTimeField(null=True, help_text="Empty: not within the longest time that is looked at.")
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
    """That a person was active in an hour or a day; kept as long as others need it to count people."""

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
    """Up to when is counted: one row, which whoever counts holds locked."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    counted_to = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=models.Q(id=1), name="usage_has_one_mark"),
        ]

    def __str__(self) -> str:
        return f"counted to {self.counted_to}"
