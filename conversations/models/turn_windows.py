"""How often people ask the model, and how much they use."""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.models import User

TODAY = "(statement_timestamp() AT TIME ZONE %(zone)s)::date"
"""SQL for the current day in the site's time zone; parameter `zone`."""


def counted(unit: str, more: str, *, today: str) -> str:
    """SQL assignments by which the row `kept` counts `more` of `messages` or `tokens`.

    Counts of a past day or month are reset. A statement that waited for the row past midnight must add to the new day
    instead of restoring the old one.
    """
    return f"""
        {unit}_on = greatest(kept.{unit}_on, {today}),
        day_{unit} = {more} + CASE WHEN kept.{unit}_on >= {today} THEN kept.day_{unit} ELSE 0 END,
        month_{unit} = {more}
            + CASE WHEN kept.{unit}_on >= date_trunc('month', {today}) THEN kept.month_{unit} ELSE 0 END
    """


class Tally(NamedTuple):
    """Amounts of one unit on the day `on` and in its month."""

    on: date | None
    of_day: int
    of_month: int

    def at(self, day: date) -> tuple[int, int]:
        """The amounts that count on `day`: of that day, and of its month; 0 once they are over."""
        if self.on is None or self.on < day.replace(day=1):
            return 0, 0
        return self.of_day if self.on >= day else 0, self.of_month


@dataclass(frozen=True, slots=True)
class PersonUsage:
    """A person's usage on a day, and in its month so far."""

    day: date
    day_messages: int = 0
    day_tokens: int = 0
    month_messages: int = 0
    month_tokens: int = 0

    @classmethod
    def at(cls, day: date, messages: Tally, tokens: Tally) -> Self:
        """The usage that counts on that day, from the stored amounts."""
        day_messages, month_messages = messages.at(day)
        day_tokens, month_tokens = tokens.at(day)
        return cls(day, day_messages, day_tokens, month_messages, month_tokens)


class TurnWindow(models.Model):
    """A person's requests to the model since `began_at`, and their usage of a day and its month.

    Deleting messages changes nothing here.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, primary_key=True, related_name="turn_window"
    )
    began_at = models.DateTimeField()
    turns = models.PositiveIntegerField()
    # The statement that admits a turn counts messages, the one that ends a reply counts tokens; each unit has its own
    # day, so that the statements are independent. Defaults in the database too: processes of the last version keep
    # inserting during a deployment.
    messages_on = models.DateField(null=True, help_text="The day of the last message, in the site's time zone.")
    day_messages = models.PositiveIntegerField(default=0, db_default=0)
    month_messages = models.PositiveIntegerField(default=0, db_default=0)
    tokens_on = models.DateField(null=True, help_text="The day of the last tokens.")
    day_tokens = models.PositiveBigIntegerField(default=0, db_default=0)
    month_tokens = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = "person's usage"
        verbose_name_plural = "usage by person"

    def __str__(self) -> str:
        return f"{self.turns} turns since {self.began_at}"

    @classmethod
    def usage_of(cls, user: User) -> PersonUsage:
        """The person's current usage. Causes a query, unless the window was read with the person."""
        usage: PersonUsage = (getattr(user, "turn_window", None) or cls(user=user)).usage
        return usage

    @property
    def usage(self) -> PersonUsage:
        """The usage that counts now, without past days and months."""
        day = timezone.localdate(timezone=timezone.get_default_timezone())
        return PersonUsage.at(
            day,
            Tally(self.messages_on, self.day_messages, self.month_messages),
            Tally(self.tokens_on, self.day_tokens, self.month_tokens),
        )
