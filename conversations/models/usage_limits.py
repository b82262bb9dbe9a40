"""Usage limits: how much people may use in a period."""

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from uuid_utils.compat import uuid7


class Period(models.TextChoices):
    """A calendar day or month, in the site's time zone."""

    DAY = "day"
    MONTH = "month"


class UsageLimit(models.Model):
    """Most messages and tokens for one person, for each person of a group, or for everybody, in a period.

    For each period one level counts: the person's own row; without one, the rows of the person's groups, of several the
    larger number; without one, the row for everybody. An empty number is no limit; 0 allows nothing. Staff and
    superusers are limited like others.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # The constraint's index begins with this column.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DB_CASCADE,
        null=True,
        blank=True,
        related_name="usage_limits",
        db_index=False,
        help_text="Replaces the limits of groups and of everybody for the same period.",
    )
    group = models.ForeignKey(
        Group,
        models.DB_CASCADE,
        null=True,
        blank=True,
        related_name="usage_limits",
        help_text="Applies to each of its people; of several groups, the highest. Leave both empty for everybody.",
    )
    period = models.CharField(max_length=5, choices=Period, default=Period.DAY)
    messages = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="All requests to the model count: messages, retries, regenerated replies, requests of programs. "
        "Empty: no limit. 0: no messages.",
    )
    tokens = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text="The text that the model reads and writes. A started reply is finished; the next one is refused. "
        "Empty: no limit.",
    )

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(user=None) | models.Q(group=None),
                name="usage_limit_has_one_target",
                violation_error_message="Choose a person or a group, not both.",
            ),
            models.CheckConstraint(
                condition=models.Q(messages__isnull=False) | models.Q(tokens__isnull=False),
                name="usage_limit_has_a_number",
                violation_error_message="Enter a number of messages, of tokens, or both.",
            ),
            models.CheckConstraint(condition=models.Q(period__in=Period.values), name="usage_limit_period_is_known"),
            models.UniqueConstraint(
                fields=("user", "group", "period"),
                name="one_usage_limit_per_target_and_period",
                nulls_distinct=False,
                violation_error_message="A limit for this target and period already exists.",
            ),
        ]

    def __str__(self) -> str:
        return f"Limit a {self.period} of {self.target}"

    @property
    def target(self) -> str:
        """The person, the group or “everybody” to whom it applies.

        Causes a query unless the person or the group was read with it.
        """
        return str(self.user or self.group or "everybody")
