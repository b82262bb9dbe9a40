"""Drilling down by date without looking at the rows: from the first to the last, whether there are any between."""

from calendar import month_abbr, month_name, monthrange
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import Max, Min, QuerySet
from django.utils import timezone


@dataclass(frozen=True, slots=True)
class DateLinks:
    """Where a list can be narrowed to, or widened."""

    chosen: str
    """What it is narrowed to, in words."""
    back: str
    """The address of the next wider range; empty when it is not narrowed."""
    choices: list[tuple[str, str]]
    """Words and address of each narrower range."""


def date_links(changes: ChangeList, rows: QuerySet[Any]) -> DateLinks | None:
    """The narrower ranges of the list's dates; None without rows. Causes a query of an index's two ends."""
    column = changes.date_hierarchy
    if not column:
        return None
    ends = rows.order_by().aggregate(first=Min(column), last=Max(column))
    if not ends["first"]:
        return None
    first, last = timezone.localdate(ends["first"]), timezone.localdate(ends["last"])
    year, month, day = (_number(changes.params.get(f"{column}__{part}")) for part in ("year", "month", "day"))

    def link(*parts: int) -> str:
        narrowed = {f"{column}__{part}": number for part, number in zip(("year", "month", "day"), parts, strict=False)}
        return changes.get_query_string(narrowed, [f"{column}__"])

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


def _number(text: Any) -> int:
    return int(text) if text else 0
