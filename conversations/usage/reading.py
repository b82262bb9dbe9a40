"""What was counted, for a stretch of time: in all, by step, by model, and in the stretch before. Three queries."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Case, F, Q, Sum, Value, When

from conversations.models import Grain, Measure, Status, Usage, UsagePeople
from conversations.usage.buckets import milliseconds

STEPS = {Grain.HOUR: timedelta(hours=1), Grain.DAY: timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time up to now, in steps of an hour or a day; the last step is the current one."""

    key: str
    name: str
    grain: Grain
    steps: int

    def began(self, now: datetime) -> list[datetime]:
        """When each of its steps began, oldest first; `now` is a time in UTC."""
        last = now.replace(minute=0, second=0, microsecond=0)
        if self.grain == Grain.DAY:
            last = last.replace(hour=0)
        return [last - back * STEPS[self.grain] for back in reversed(range(self.steps))]


PERIODS = (
    Period("24h", "24 hours", Grain.HOUR, 24),
    Period("7d", "7 days", Grain.DAY, 7),
    Period("30d", "30 days", Grain.DAY, 30),
    Period("90d", "90 days", Grain.DAY, 90),
)


@dataclass(frozen=True, slots=True)
class Times:
    """Two percentiles of a time, in milliseconds."""

    p50: float
    p95: float


@dataclass(slots=True)
class Numbers:
    """What was counted in some time, or of one model."""

    models: Counter[str] = field(default_factory=Counter)
    """Turns by model; without a name where none was asked."""
    failed: Counter[str] = field(default_factory=Counter)
    """Turns that failed, by error code."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    people: int = 0
    """Different people; not counted by model."""
    times: dict[Measure, Times] = field(default_factory=dict)
    """Only what was ever measured."""

    @property
    def turns(self) -> int:
        """All turns."""
        return self.models.total()

    @property
    def tokens(self) -> int:
        """Of prompts and replies."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def error_rate(self) -> float | None:
        """The share of failed turns, 0 to 1; None without turns."""
        return self.failed.total() / self.turns if self.turns else None


@dataclass(slots=True)
class Report:
    """The numbers of a period."""

    period: Period
    whole: Numbers
    before: Numbers
    """Of as many steps before."""
    steps: dict[datetime, Numbers]
    """Every step, by when it began, oldest first."""
    models: dict[str, Numbers]
    """The most used one first."""


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of time that a report is about, and the one before."""

    grain: Grain
    before: datetime
    begin: datetime
    last: datetime
    """When the last step began."""

    @property
    def rows(self) -> Q:
        """The rows of both."""
        return Q(grain=self.grain, began_at__gte=self.before, began_at__lte=self.last)

    @property
    def step(self) -> Case:
        """The step that a row belongs to; nothing for those of the stretch before."""
        return Case(When(began_at__gte=self.begin, then=F("began_at")), default=Value(None))


def report(period: Period, now: datetime) -> Report:
    """The numbers of the period that ends with the step of `now`, a time in UTC. Causes three queries."""
    began = period.began(now)
    window = Window(period.grain, began[0] - period.steps * STEPS[period.grain], began[0], began[-1])
    found = Report(period, Numbers(), Numbers(), {step: Numbers() for step in began}, {})
    _add_turns(found, window)
    _add_people(found, window)
    _add_times(found, window)
    found.models = dict(sorted(found.models.items(), key=lambda item: (-item[1].turns, item[0])))
    return found


def _add_turns(found: Report, window: Window) -> None:
    rows = (
        Usage.objects.filter(window.rows)
        .values_list(window.step, "model", "status", "error_code")
        .annotate(Sum("replies"), Sum("prompt_tokens"), Sum("completion_tokens"))
        .order_by()
    )
    for step, model, status, code, *counts in rows:
        if step is None:
            _count(found.before, model, status, code, *counts)
        else:
            for numbers in (found.whole, found.steps[step], found.models.setdefault(model, Numbers())):
                _count(numbers, model, status, code, *counts)


def _count(numbers: Numbers, model: str, status: str, code: str, replies: int, prompt: int, completion: int) -> None:
    numbers.models[model] += replies
    numbers.prompt_tokens += prompt
    numbers.completion_tokens += completion
    if status == Status.FAILED:
        numbers.failed[code] += replies


def _add_people(found: Report, window: Window) -> None:
    # Different people of a stretch of time: each counts in the step in which the stretch sees the person first.
    began = Case(When(began_at__gte=window.begin, then=Value(window.begin)), default=Value(window.before))
    first = Sum("people", filter=Q(previous=None) | Q(previous__lt=began))
    rows = (
        UsagePeople.objects.filter(window.rows)
        .values(step=window.step)
        .annotate(active=Sum("people"), seen_first=first)
        .order_by()
        .values_list("step", "active", "seen_first")
    )
    for step, people, seen_first in rows:
        if step is None:
            found.before.people = seen_first or 0
        else:
            found.steps[step].people = people
            found.whole.people += seen_first or 0


TIMES = """
WITH taken AS (
    SELECT CASE WHEN began_at >= %(begin)s THEN began_at END AS step,
        CASE WHEN began_at >= %(begin)s THEN model END AS model,
        began_at >= %(begin)s AS is_now, measure, bucket, replies
    FROM conversations_usagelatency WHERE grain = %(grain)s AND began_at >= %(before)s AND began_at <= %(last)s
), added_up AS (
    SELECT is_now, step, model, measure, bucket, sum(replies) AS replies, grouping(step, model) AS kind
    FROM taken GROUP BY measure, bucket, is_now, GROUPING SETS ((step), (model), ())
), ranked AS (
    SELECT *, sum(replies) OVER (kin ORDER BY bucket) AS so_far, sum(replies) OVER kin AS in_all
    FROM added_up WINDOW kin AS (PARTITION BY kind, is_now, step, model, measure)
)
SELECT is_now, step, model, measure,
    min(bucket) FILTER (WHERE so_far >= in_all * 0.50), min(bucket) FILTER (WHERE so_far >= in_all * 0.95)
FROM ranked GROUP BY kind, is_now, step, model, measure
"""
"""The smallest bucket up to which at least that share of the replies lies: by step, by model, and in all."""


def _add_times(found: Report, window: Window) -> None:
    with connection.cursor() as cursor:
        cursor.execute(TIMES, asdict(window) | {"grain": window.grain.value})
        rows: Iterable[tuple[Any, ...]] = cursor.fetchall()
    for is_now, step, model, measure, *buckets in rows:
        if not is_now:
            numbers = found.before
        elif step is not None:
            numbers = found.steps[step]
        else:
            numbers = found.whole if model is None else found.models.setdefault(model, Numbers())
        numbers.times[Measure(measure)] = Times(*map(milliseconds, buckets))
