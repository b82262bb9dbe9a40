"""How often people ask the model, and how much they use."""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.models import User

TODAY = "(statement_timestamp() AT TIME ZONE %(zone)s)::date"
"""The day in the site's time zone, which is the parameter `zone`."""


def counted(unit: str, more: str, *, today: str) -> str:
    """The assignments by which the row `kept` counts so much more of `messages` or `tokens`.

    A day that is over counts no more, nor does a month. A statement that waited for the row past midnight adds to the
    new day: it must not bring the old one back.
    """
    return f"""
        {unit}_on = greatest(kept.{unit}_on, {today}),
        day_{unit} = {more} + CASE WHEN kept.{unit}_on >= {today} THEN kept.day_{unit} ELSE 0 END,
        month_{unit} = {more}
            + CASE WHEN kept.{unit}_on >= date_trunc('month', {today}) THEN kept.month_{unit} ELSE 0 END
    """


class Tally(NamedTuple):
    """How many of one unit were counted, on the day `on` and in its month."""

    on: date | None
    of_day: int
    of_month: int

    def at(self, day: date) -> tuple[int, int]:
        """What of it counts on that day: nothing of a day or a month that is over."""
        if self.on is None or self.on < day.replace(day=1):
            return 0, 0
        return self.of_day if self.on >= day else 0, self.of_month


@dataclass(frozen=True, slots=True)
class PersonUsage:
    """What a person has used on a day, and in its month so far."""

    day: date
    day_messages: int = 0
    day_tokens: int = 0
    month_messages: int = 0
    month_tokens: int = 0

    @classmethod
    def at(cls, day: date, messages: Tally, tokens: Tally) -> Self:
        """What of these numbers counts on that day."""
        day_messages, month_messages = messages.at(day)
        day_tokens, month_tokens = tokens.at(day)
        return cls(day, day_messages, day_tokens, month_messages, month_tokens)


class TurnWindow(models.Model):
    """How often a person has asked the model since `began_at`, and what was used on a day and in its month. Deleting
    what was said changes nothing here."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, primary_key=True, related_name="turn_window"
    )
    began_at = models.DateTimeField()
    turns = models.PositiveIntegerField()
    # Messages are counted by the statement that admits a turn, tokens by the one that ends a reply; each unit has its
    # day, so that neither statement has to know of the other. The database has the defaults too: processes of the
    # version before go on while a deployment migrates.
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
        """What the person has used. Causes a query, unless the window was read with the person."""
        usage: PersonUsage = (getattr(user, "turn_window", None) or cls(user=user)).usage
        return usage

    @property
    def usage(self) -> PersonUsage:
        """What counts now: nothing of a day or a month that is over."""
        day = timezone.localdate(timezone=timezone.get_default_timezone())
        return PersonUsage.at(
            day,
            Tally(self.messages_on, self.day_messages, self.month_messages),
            Tally(self.tokens_on, self.day_tokens, self.month_tokens),
        )
