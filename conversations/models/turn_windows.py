"""How often people ask the model, and how much they use."""

from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.models import User

TODAY = "(statement_timestamp() AT TIME ZONE %(zone)s)::date"


def counting(*, messages: str = "0", tokens: str = "0", today: str = TODAY) -> str:
    """The assignments that add so much to what the row `kept` counts; the parameter `zone` is the site's time zone.

    A day that is over counts no more, nor does a month. A statement that waited for the row past midnight adds to the
    new day: it must not bring the old one back.
    """
    counters = {
        f"{period}_{unit}": (
            f"CASE WHEN date_trunc('{period}', kept.counted_on) >= date_trunc('{period}', {today}) "
            f"THEN kept.{period}_{unit} ELSE 0 END + {more}"
        )
        for period in ("day", "month")
        for unit, more in (("messages", messages), ("tokens", tokens))
    }
    assignments = {"counted_on": f"greatest(kept.counted_on, {today})"} | counters
    return ", ".join(f"{name} = {value}" for name, value in assignments.items())


@dataclass(frozen=True, slots=True)
class Use:
    """What a person has used on a day, and in its month so far."""

    day: date
    day_messages: int = 0
    day_tokens: int = 0
    month_messages: int = 0
    month_tokens: int = 0


class TurnWindow(models.Model):
    """How often a person has asked the model since `began_at`, and how much was used on the day `counted_on` and in its
    month. Deleting what was said changes nothing here."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, primary_key=True, related_name="turn_window"
    )
    began_at = models.DateTimeField()
    turns = models.PositiveIntegerField()
    # Defaults in the database too: processes of the version before go on while a deployment migrates.
    counted_on = models.DateField(null=True, help_text="The day of the last count, in the site's time zone.")
    day_messages = models.PositiveIntegerField(default=0, db_default=0)
    day_tokens = models.PositiveBigIntegerField(default=0, db_default=0)
    month_messages = models.PositiveIntegerField(default=0, db_default=0)
    month_tokens = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = verbose_name_plural = "usage"

    def __str__(self) -> str:
        return f"{self.turns} turns since {self.began_at}"

    @classmethod
    def use_of(cls, user: User) -> Use:
        """What the person has used. Causes a query, unless the window was read with the person."""
        use: Use = (getattr(user, "turn_window", None) or cls(user=user)).use
        return use

    @property
    def use(self) -> Use:
        """What counts now: nothing of a day or a month that is over."""
        today = timezone.localdate(timezone=timezone.get_default_timezone())
        counted_on = self.counted_on
        if counted_on is None or (counted_on.year, counted_on.month) < (today.year, today.month):
            return Use(today)
        month = {"month_messages": self.month_messages, "month_tokens": self.month_tokens}
        if counted_on < today:
            return Use(today, **month)
        return Use(counted_on, self.day_messages, self.day_tokens, **month)
