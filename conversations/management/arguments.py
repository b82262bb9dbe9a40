"""Command-line arguments: ages, durations, counts, people. Invalid ones are refused with a sentence."""

import re
from argparse import ArgumentTypeError
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core.management.base import CommandError
from django.utils import timezone

from accounts.models import User

AGE = re.compile(r"(\d{1,9}) *([a-z]*)", re.IGNORECASE)
DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) *([a-z]*)", re.IGNORECASE)
COUNT = re.compile(r"(\d[\d_,]{0,14}) *([km]?)", re.IGNORECASE)

SECONDS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3_600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 7 * 86_400),
}
DURATIONS = SECONDS | {"": 1, "m": 60}
"""Units of durations; `m` is minutes, because durations have no months."""
MONTHS = {
    **dict.fromkeys(("mo", "month", "months"), 1),
    **dict.fromkeys(("y", "yr", "year", "years"), 12),
}
TIMES = {"": 1, "k": 1_000, "m": 1_000_000}


@dataclass(frozen=True, slots=True)
class Age:
    """A length of time; months and years follow the calendar."""

    text: str
    """The age as it was written."""
    seconds: int = 0
    months: int = 0

    def before(self, now: datetime) -> datetime:
        """The moment this long before `now`. Raises `OverflowError`, or `ValueError` before the year 1."""
        year, month = divmod(now.year * 12 + now.month - 1 - self.months, 12)
        day = min(now.day, monthrange(year, month + 1)[1])
        return now.replace(year=year, month=month + 1, day=day) - timedelta(seconds=self.seconds)


def age(text: str) -> Age:
    """The age given by a text such as `90d`, `6mo` or `2 years`. Raises `ArgumentTypeError`."""
    found = AGE.fullmatch(text.strip())
    unit = found[2].lower() if found else ""
    if found is None or unit not in SECONDS | MONTHS:
        raise ArgumentTypeError(
            f"{text!r} is not an age: write a whole number and a unit, such as 12h, 90d, 8w, 6mo or 2y."
        )
    number = int(found[1])
    meant = Age(text.strip(), seconds=number * SECONDS.get(unit, 0), months=number * MONTHS.get(unit, 0))
    try:
        meant.before(timezone.now())
    except (OverflowError, ValueError):
        raise ArgumentTypeError(f"{text!r} is too long: write an age such as 90d or 2y.") from None
    return meant


def duration(text: str) -> float:
    """The seconds given by a text such as `30`, `90s`, `1.5 min` or `1h`. Raises `ArgumentTypeError`."""
    found = DURATION.fullmatch(text.strip())
    unit = found[2].lower() if found else ""
    if found is None or unit not in DURATIONS:
        raise ArgumentTypeError(
            f"{text!r} is not a duration: write seconds, or a number with a unit, such as 30, 90s, 15min or 1h."
        )
    return float(found[1]) * DURATIONS[unit]


def count(text: str) -> int:
    """The number, at least 1, given by a text such as `500`, `20k` or `1M`. Raises `ArgumentTypeError`."""
    found = COUNT.fullmatch(text.strip())
    number = int(re.sub("[_,]", "", found[1])) * TIMES[found[2].lower()] if found else 0
    if not number:
        raise ArgumentTypeError(f"{text!r} is not a count: write a whole number of at least 1, such as 500, 20k or 1M.")
    return number


def since(text: str) -> datetime:
    """The moment, in UTC, given by a date such as `2026-01-31` or an age such as `30d`. Raises `ArgumentTypeError`."""
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        return age(text).before(timezone.now())
    except ArgumentTypeError:
        raise ArgumentTypeError(f"{text!r} is neither a date such as 2026-01-31 nor an age such as 30d.") from None


def person(email: str) -> User:
    """The person with this e-mail address. Causes a query; raises `CommandError`."""
    found = User.objects.filter(email=email.strip()).first()
    if found is None:
        raise CommandError(f"No account has the e-mail address {email!r}.")
    return found


def size(number: float) -> str:
    """A number of bytes in readable form: `1.5 MB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1_000:
            return f"{number:,.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1_000
    return f"{number:,.1f} TB"
