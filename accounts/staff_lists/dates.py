"""Narrowing a list by date without reading its rows: choices span the time from the first row to the last."""

from calendar import month_abbr, month_name, monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Max, Min, QuerySet
from django.utils import timezone
from django.utils.formats import date_format

from accounts.staff_lists.changelists import BareChangeList

LATEST = 4_102_444_800_000
"""The year 2100 in milliseconds; keys with a later time are not UUIDs of version 7 made here."""


@dataclass(frozen=True, slots=True)
class DateLinks:
    """Links that narrow or widen a list's range of dates."""

    chosen: str
    """The chosen range, in words."""
    back: str
    """Address of the next wider range; empty when no range is chosen."""
    choices: list[tuple[str, str]]
    """Words and address of each narrower range."""


def moment(time: datetime | None) -> str:
    """The time in the reader's time zone, `22 Nov 2026, 10:18`; a dash for None."""
    return date_format(timezone.localtime(time), "j M Y, H:i") if time else "-"


def date_links(changes: BareChangeList, rows: QuerySet[Any]) -> DateLinks | None:
    """Links to the narrower ranges of the list's dates; None without rows. Causes a query of an index's two ends."""
    column = changes.date_column
    if not column:
        return None
    ends = rows.order_by().aggregate(first=Min(column), last=Max(column))
    if not ends["first"]:
        return None
    first, last = timezone.localdate(ends["first"]), timezone.localdate(ends["last"])
    year, month, day = (_number(changes.asked(f"{column}__{part}")) for part in ("year", "month", "day"))

    def link(*parts: int) -> str:
        narrowed = {f"{column}__{part}": number for part, number in zip(("year", "month", "day"), parts, strict=False)}
        return changes.address(narrowed, [f"{column}__"])

    if not year:
        return DateLinks("", "", [(str(number), link(number)) for number in range(last.year, first.year - 1, -1)])
    if not month:
        months = (number for number in range(1, 13) if first.replace(day=1) <= date(year, number, 1) <= last)
        return DateLinks(str(year), link(), [(month_abbr[number], link(year, number)) for number in months])
    words = f"{month_name[month]} {year}"
    if not day:
        days = (number for number in range(1, monthrange(year, month)[1] + 1) if first <= date(year, month, number))
        choices = [(str(number), link(year, month, number)) for number in days if date(year, month, number) <= last]
        return DateLinks(words, link(year), choices)
    return DateLinks(f"{day} {words}", link(year, month), [])


def date_places(changes: BareChangeList, ends: tuple[datetime, datetime], place: str) -> DateLinks:
    """Links to dates of a list ordered by UUIDv7: each opens the page that begins at the date's end.

    `ends` are the times of the first and the last row; `place` is where the page begins, empty for the first page.
    """
    first, last = (timezone.localdate(end) for end in ends)

    def link(year: int, month: int = 12, day: int = 0) -> str:
        end = date(year, month, day or monthrange(year, month)[1]) + timedelta(days=1)
        return changes.place_address(str(_key_at(end)))

    at = _time_in(place)
    if not at:
        return DateLinks("", "", [(str(year), link(year)) for year in range(last.year, first.year - 1, -1)])
    # `at` is the end of the shown range: a moment before it lies within its last day.
    shown = timezone.localtime(at - timedelta(milliseconds=1)).date()
    words = f"until {shown.day} {month_name[shown.month]} {shown.year}"
    if (shown.month, shown.day) == (12, 31):
        months = (number for number in range(1, 13) if first.replace(day=1) <= date(shown.year, number, 1) <= last)
        choices = [(month_abbr[number], link(shown.year, number)) for number in months]
        return DateLinks(words, changes.address(), choices)
    days = (shown.replace(day=number) for number in range(1, monthrange(shown.year, shown.month)[1] + 1))
    choices = [(str(day.day), link(day.year, day.month, day.day)) for day in days if first <= day <= last]
    return DateLinks(words, link(shown.year), choices)


def _key_at(day: date) -> UUID:
    """The smallest UUIDv7 of the day, in the reader's time zone."""
    begin = timezone.make_aware(datetime.combine(day, time()))
    return UUID(int=int(begin.timestamp() * 1_000) << 80 | 7 << 76 | 2 << 62)


def _time_in(place: str) -> datetime | None:
    """Time of a UUIDv7; None for any other text."""
    try:
        key = UUID(place)
    except ValueError:
        return None
    milliseconds = key.int >> 80
    return datetime.fromtimestamp(milliseconds / 1_000, UTC) if key.version == 7 and milliseconds < LATEST else None


def _number(text: Any) -> int:
    return int(text) if text else 0
