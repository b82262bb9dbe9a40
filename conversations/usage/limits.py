"""Usage limits: which hold for a person, how much of them is used, and the sentence when nothing is left.

Only `turns.admit` checks them, in the transaction that stores a turn and before the model is asked; everything that
asks the model for a person goes through it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format

from accounts.models import User
from chatbot.core import sql
from chatbot.core.errors import UserFacingError
from chatbot.web.door_errors import NO_RETRY
from conversations.models import TODAY, Period, PersonUsage, TurnWindow, counted

UNITS = ("messages", "tokens")
NAMES = {Period.DAY: "today", Period.MONTH: "this month"}
NEAR_PERCENT = 80
"""Percentage of a limit from which a person is told what is left."""

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Limit(NamedTuple):
    """What one person may use in a period; None is no limit."""

    messages: int | None
    tokens: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of one number of a limit is used."""

    period: Period
    unit: str
    """What is limited: `messages` or `tokens`."""
    used: int
    limit: int
    ends_at: datetime
    """Time at which the period ends."""

    @property
    def is_used_up(self) -> bool:
        """Whether the limit is reached."""
        return self.used >= self.limit

    @property
    def amount(self) -> str:
        """The limit in words: `50 messages`."""
        return f"{self.limit:,} {self.unit.removesuffix('s') if self.limit == 1 else self.unit}"

    @property
    def period_name(self) -> str:
        """The current period in words: `today`, `this month`."""
        return NAMES[self.period]

    @property
    def percent(self) -> int:
        """Used share of the limit in per cent, at most 100."""
        return min(100, 100 * self.used // self.limit) if self.limit else 100

    @property
    def ends(self) -> str:
        """When the period ends, in words."""
        return when(self.ends_at)

    @property
    def sentence(self) -> str:
        """How much is used, in words: `12 of 50 messages today`."""
        return f"{self.used:,} of {self.amount} {self.period_name}"

    @property
    def left(self) -> str:
        """What is left, in words: `8 of 50 messages left today`."""
        return f"{max(0, self.limit - self.used):,} of {self.amount} left {self.period_name}"


class LimitReached(UserFacingError):
    """You have used your {amount} for {period}. You can write again {when}."""

    code = "usage_limit_reached"
    http_status = 429
    for_programs = "You have reached your usage limit for the day or the month."
    is_told = True

    def __init__(self, standing: Standing) -> None:
        super().__init__(
            period=standing.period.value,
            unit=standing.unit,
            limit=standing.limit,
            used=standing.used,
            resets_at=standing.ends_at.isoformat(),
        )
        self.standing = standing

    @classmethod
    def words(cls, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """The limit, its period and the period's end in words."""
        standing = Standing(
            Period(parameters["period"]),
            parameters["unit"],
            parameters["used"],
            parameters["limit"],
            datetime.fromisoformat(parameters["resets_at"]),
        )
        return {"amount": standing.amount, "period": standing.period_name, "when": standing.ends}

    @property
    def headers(self) -> Mapping[str, str]:
        """When the period ends; OpenAI's clients are told not to ask again before."""
        return {
            NO_RETRY: "false",
            "Retry-After": str(max(1, math.ceil((self.standing.ends_at - timezone.now()).total_seconds()))),
        }

    @property
    def members(self) -> Mapping[str, Any]:
        """What is used up, and when the period ends."""
        return self.parameters


class NothingAllowed(LimitReached):
    """Your limit here is {amount}, so nothing can be asked. Whoever runs this site can raise it."""

    code = "nothing_allowed"
    program_code = LimitReached.code

    @property
    def headers(self) -> Mapping[str, str]:
        """OpenAI's clients are told not to ask again: no time helps."""
        return {NO_RETRY: "false"}

    @property
    def members(self) -> Mapping[str, Any]:
        """What is used up, without an end."""
        return {**super().members, "resets_at": None}


def check(user: User, usage: PersonUsage) -> Standing | None:
    """Raise `LimitReached` when the person has nothing left; `usage` is without the message that is sent now.

    Returns the number of which least is left after this message, if that is little, else None. Causes a query.
    """
    before = standings(usage, limits_of(user))
    if used_up := [standing for standing in before if standing.is_used_up]:
        if never := [standing for standing in used_up if not standing.limit]:
            raise NothingAllowed(never[0])
        # On a month's last day both periods end at once: report the month, which says more.
        raise LimitReached(max(used_up, key=lambda standing: (standing.ends_at, standing.period == Period.MONTH)))
    after = [replace(one, used=one.used + 1) if one.unit == "messages" else one for one in before]
    near = [standing for standing in after if standing.percent >= NEAR_PERCENT]
    return max(near, key=lambda standing: standing.percent, default=None)


def standings_of(user: User) -> list[Standing]:
    """The person's usage of each limit; empty where no limit holds. Causes two queries."""
    limits = limits_of(user)
    if not limits:
        return []
    return standings(TurnWindow.usage_of(user), limits)


def standings(usage: PersonUsage, limits: Mapping[Period, Limit]) -> list[Standing]:
    """The standing of each limit for this usage."""
    return [
        Standing(period, unit, getattr(usage, f"{period}_{unit}"), number, end_of(period, usage))
        for period, limit in limits.items()
        for unit, number in zip(UNITS, limit, strict=True)
        if number is not None
    ]


def usage_in_words(usage: PersonUsage, period: Period) -> str:
    """Usage in the current period, in words: `12 messages, 3,400 tokens today`."""
    numbers = ", ".join(f"{getattr(usage, f'{period}_{unit}'):,} {unit}" for unit in UNITS)
    return f"{numbers} {NAMES[period]}"


def end_of(period: Period, usage: PersonUsage) -> datetime:
    """The next midnight, or the next month's first one, of the site's time zone, in UTC."""
    first = usage.day.replace(day=1) + timedelta(days=32) if period == Period.MONTH else usage.day + DAY
    day = first.replace(day=1) if period == Period.MONTH else first
    return datetime.combine(day, time.min, tzinfo=timezone.get_default_timezone()).astimezone(UTC)


LIMITS = """
SELECT 0 AS level, period, messages, tokens FROM conversations_usagelimit WHERE user_id = %(user)s
UNION ALL
SELECT 1, period, messages, tokens FROM accounts_user_groups AS belongs
    JOIN conversations_usagelimit AS usagelimit ON usagelimit.group_id = belongs.group_id
    WHERE belongs.user_id = %(user)s
UNION ALL
SELECT 2, period, messages, tokens FROM conversations_usagelimit WHERE user_id IS NULL AND group_id IS NULL
"""


class LimitRow(NamedTuple):
    """A row that limits usage in a period."""

    level: int
    """0 for the person's own limit, 1 for a group's, 2 for everybody's."""
    period: str
    messages: int | None
    tokens: int | None

    @property
    def limit(self) -> Limit:
        """The numbers of messages and tokens that it allows."""
        return Limit(self.messages, self.tokens)


def limits_of(user: User) -> dict[Period, Limit]:
    """The limits that hold for the person now, by period: see `UsageLimit`. Causes a query."""
    rows = sql.rows(LimitRow, LIMITS, {"user": user.pk})
    found: dict[Period, Limit] = {}
    for period in Period:
        limits = [row for row in rows if row.period == period]
        nearest = [row.limit for row in limits if row.level == min(row.level for row in limits)]
        if nearest:
            found[period] = Limit(*(most_generous(numbers) for numbers in zip(*nearest, strict=True)))
    return found


def most_generous(numbers: Iterable[int | None]) -> int | None:
    """The largest of several limits; None, which is no limit, is larger than any."""
    listed = list(numbers)
    return None if None in listed else max(number for number in listed if number is not None)


def count_tokens(user_id: UUID, tokens: int, *, unless: UUID | None = None) -> None:
    """Count tokens of a reply that is not stored.

    Does nothing while the message `unless` exists: its end counts them.
    """
    sql.run(
        f"""
        UPDATE conversations_turnwindow AS kept SET {counted("tokens", "%(tokens)s", today="today")}
        FROM (SELECT {TODAY} AS today) AS now
        WHERE user_id = %(user)s AND NOT EXISTS (SELECT FROM conversations_message WHERE id = %(unless)s)
        """,  # noqa: S608 (constants)
        {"tokens": tokens, "user": user_id, "unless": unless, "zone": settings.TIME_ZONE},
    )


def when(end: datetime) -> str:
    """A future time in the reader's time zone: `at 00:00 (in 5 hours)`, `on 1 December at 00:00 (in 9 days)`."""
    left = max(end - timezone.now(), MINUTE)
    unit, name = next((unit, name) for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")) if left >= unit)
    count = round(left / unit)
    clock = date_format(timezone.localtime(end), "H:i" if left < DAY else r"j F \a\t H:i")
    return f"{'at' if left < DAY else 'on'} {clock} (in {count} {name}{'' if count == 1 else 's'})"
