"""What was counted, for a stretch of time: in all, by step, by model, and in the stretch before. Three queries."""

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from conversations.models import Grain, Measure
from conversations.usage.buckets import milliseconds

STEPS = {Grain.HOUR: timedelta(hours=1), Grain.DAY: timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class TimeRange:
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


TIME_RANGES = (
    TimeRange("24h", "24 hours", Grain.HOUR, 24),
    TimeRange("7d", "7 days", Grain.DAY, 7),
    TimeRange("30d", "30 days", Grain.DAY, 30),
    TimeRange("90d", "90 days", Grain.DAY, 90),
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
    """The numbers of a time range."""

    time_range: TimeRange
    whole: Numbers
    before: Numbers
    """Of as many steps before."""
    steps: dict[datetime, Numbers]
    """Every step, by when it began, oldest first."""
    models: dict[str, Numbers]
    """The most used one first."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The stretch of time that a report is about, and the one before."""

    grain: str
    before: datetime
    begin: datetime
    last: datetime
    """When the last step began."""


def report(time_range: TimeRange, now: datetime) -> Report:
    """The numbers of the time range that ends with the step of `now`, a time in UTC. Causes three queries."""
    began = time_range.began(now)
    bounds = Bounds(time_range.grain.value, began[0] - time_range.steps * STEPS[time_range.grain], began[0], began[-1])
    found = Report(time_range, Numbers(), Numbers(), {step: Numbers() for step in began}, defaultdict(Numbers))
    _add_turns(found, bounds)
    _add_people(found, bounds)
    _add_times(found, bounds)
    found.models = dict(sorted(found.models.items(), key=lambda item: (-item[1].turns, item[0])))
    return found


TURNS = """
SELECT CASE WHEN began_at >= %(begin)s THEN extract(epoch FROM began_at)::bigint END AS step, model,
    CASE WHEN status = 'failed' THEN error_code END AS failure,
    sum(replies)::bigint, sum(prompt_tokens)::bigint, sum(completion_tokens)::bigint
FROM conversations_usage WHERE grain = %(grain)s AND began_at >= %(before)s AND began_at <= %(last)s
GROUP BY step, model, failure
"""
"""By step, all steps of the stretch before as one."""


def _add_turns(found: Report, bounds: Bounds) -> None:
    for step, model, failure, *counts in _rows(TURNS, bounds):
        if step is None:
            _count(found.before, model, failure, *counts)
        else:
            _count(found.steps[_time(step)], model, failure, *counts)
            _count(found.models[model], model, failure, *counts)
    for numbers in found.models.values():
        found.whole.models.update(numbers.models)
        found.whole.failed.update(numbers.failed)
        found.whole.prompt_tokens += numbers.prompt_tokens
        found.whole.completion_tokens += numbers.completion_tokens


def _count(numbers: Numbers, model: str, failure: str | None, replies: int, prompt: int, completion: int) -> None:
    numbers.models[model] += replies
    numbers.prompt_tokens += prompt
    numbers.completion_tokens += completion
    if failure is not None:
        numbers.failed[failure] += replies


PEOPLE = """
SELECT CASE WHEN began_at >= %(begin)s THEN extract(epoch FROM began_at)::bigint END AS step, sum(people)::bigint,
    coalesce(sum(people) FILTER (
        WHERE previous IS NULL OR previous < CASE WHEN began_at >= %(begin)s THEN %(begin)s ELSE %(before)s END
    ), 0)::bigint
FROM conversations_usagepeople WHERE grain = %(grain)s AND began_at >= %(before)s AND began_at <= %(last)s
GROUP BY step
"""
"""By step: those who were active in it, and those of them whom the stretch of time sees there first."""


def _add_people(found: Report, bounds: Bounds) -> None:
    for step, people, seen_first in _rows(PEOPLE, bounds):
        if step is None:
            found.before.people = seen_first
        else:
            found.steps[_time(step)].people = people
            found.whole.people += seen_first


TIMES = """
WITH added_up AS (
    SELECT 'step' AS kind, extract(epoch FROM began_at)::bigint AS step, NULL AS model, measure, bucket, replies
    FROM conversations_usagelatency
    WHERE grain = %(grain)s AND began_at >= %(begin)s AND began_at <= %(last)s AND model IS NULL
    UNION ALL
    SELECT CASE WHEN began_at >= %(begin)s THEN 'whole' ELSE 'before' END, NULL, NULL, measure, bucket, sum(replies)
    FROM conversations_usagelatency
    WHERE grain = %(grain)s AND began_at >= %(before)s AND began_at <= %(last)s AND model IS NULL GROUP BY 1, 4, 5
    UNION ALL
    SELECT 'model', NULL, model, measure, bucket, sum(replies) FROM conversations_usagelatency
    WHERE grain = %(grain)s AND began_at >= %(begin)s AND began_at <= %(last)s AND model IS NOT NULL GROUP BY 3, 4, 5
), ranked AS (
    SELECT *, sum(replies) OVER (kin ORDER BY bucket) AS so_far, sum(replies) OVER kin AS in_all
    FROM added_up WINDOW kin AS (PARTITION BY kind, step, model, measure)
)
SELECT kind, step, model, measure,
    min(bucket) FILTER (WHERE so_far >= in_all * 0.50), min(bucket) FILTER (WHERE so_far >= in_all * 0.95)
FROM ranked GROUP BY kind, step, model, measure
"""
"""The smallest bucket up to which at least that share of the replies lies."""


def _add_times(found: Report, bounds: Bounds) -> None:
    for kind, step, model, measure, *buckets in _rows(TIMES, bounds):
        match kind:
            case "step":
                numbers = found.steps[_time(step)]
            case "model":
                numbers = found.models[model]
            case _:
                numbers = found.whole if kind == "whole" else found.before
        numbers.times[Measure(measure)] = Times(*map(milliseconds, buckets))


def _time(seconds: int) -> datetime:
    """A time from the database, read as a number: thousands of times as such take longer than all else."""
    return datetime.fromtimestamp(seconds, UTC)


def _rows(sql: str, bounds: Bounds) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, asdict(bounds))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
