"""Reads usage for a time range: in all, by step, by model, and for the range before. Causes four queries."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

from django.db import transaction

from chatbot.core import sql
from conversations.models import Grain, Measure, Status
from conversations.usage.buckets import milliseconds

STEPS = {Grain.HOUR: timedelta(hours=1), Grain.DAY: timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A range of time up to now, in steps of an hour or a day; the last step is the current one."""

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
    """Two percentiles of a duration, in milliseconds."""

    p50: float
    p95: float


@dataclass(slots=True)
class Numbers:
    """Usage in one range or step, or of one model."""

    models: Counter[str] = field(default_factory=Counter)
    """Turns by model; the name is empty where no model was asked."""
    failed: Counter[str] = field(default_factory=Counter)
    """Failed turns by error code."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    people: int = 0
    """Distinct people; not counted by model."""
    times: dict[Measure, Times] = field(default_factory=dict)
    """Durations by measure; without those that were never measured."""

    @property
    def turns(self) -> int:
        """Number of turns of all models."""
        return self.models.total()

    @property
    def tokens(self) -> int:
        """Tokens of prompts and replies together."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def error_rate(self) -> float | None:
        """The share of failed turns, 0 to 1; None without turns."""
        return self.failed.total() / self.turns if self.turns else None


@dataclass(slots=True)
class Report:
    """The usage of a time range."""

    time_range: TimeRange
    whole: Numbers
    before: Numbers
    """Usage of as many steps before the range."""
    steps: dict[datetime, Numbers]
    """Usage of each step by its beginning, oldest first."""
    models: dict[str, Numbers]
    """Usage by model, the most used model first."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of a report's range and of the range before."""

    grain: str
    before: datetime
    begin: datetime
    last: datetime
    """Time at which the last step began."""


def report(time_range: TimeRange, now: datetime) -> Report:
    """The usage of the range that ends with the step of `now`, a time in UTC. Causes four queries.

    Runs on one core: parallel workers take longer to start than they save, and take cores from the chat.
    """
    began = time_range.began(now)
    bounds = Bounds(time_range.grain.value, began[0] - time_range.steps * STEPS[time_range.grain], began[0], began[-1])
    found = Report(time_range, Numbers(), Numbers(), {step: Numbers() for step in began}, defaultdict(Numbers))
    with transaction.atomic():
        sql.run("SET LOCAL max_parallel_workers_per_gather = 0")
        _add_turns(found, bounds)
        _add_people(found, bounds)
        _add_times(found, bounds)
    found.models = dict(sorted(found.models.items(), key=lambda item: (-item[1].turns, item[0])))
    return found


TURNS = f"""
SELECT by, is_now, extract(epoch FROM step)::bigint, model, failure, replies, prompt, completion FROM (
    SELECT grouping(step, model, failure) AS by, is_now, step, model, failure, sum(replies)::bigint AS replies,
        sum(prompt_tokens)::bigint AS prompt, sum(completion_tokens)::bigint AS completion
    FROM (
        SELECT began_at >= %(begin)s AS is_now, CASE WHEN began_at >= %(begin)s THEN began_at END AS step, model,
            CASE WHEN status = '{Status.FAILED}' THEN error_code END AS failure,
            replies, prompt_tokens, completion_tokens
        FROM conversations_usage WHERE grain = %(grain)s AND began_at >= %(before)s AND began_at <= %(last)s
    ) AS counted
    GROUP BY GROUPING SETS ((is_now, step, model), (is_now, step, failure), (is_now, model, failure))
) AS added_up
WHERE is_now OR by <> 4
"""  # noqa: S608 (a constant)
"""Rows by step and model, by step and error, by model and error; all steps of the range before are one."""

BY_STEP_AND_MODEL, BY_STEP_AND_ERROR = 1, 2
"""Values of `by`: the bits of the columns over which the database has added."""


class Turns(NamedTuple):
    """Turns that were added up by two of step, model and error; a third is empty in the row."""

    by: int
    is_now: bool
    """Whether they are of the time range, not of the stretch before."""
    step: int
    """When it began, in seconds of the epoch."""
    model: str
    failure: str | None
    replies: int
    prompt_tokens: int
    completion_tokens: int


def _add_turns(found: Report, bounds: Bounds) -> None:
    for row in sql.rows(Turns, TURNS, asdict(bounds)):
        if row.by == BY_STEP_AND_MODEL:
            numbers = found.steps[_time(row.step)] if row.is_now else found.before
            numbers.models[row.model] = row.replies
        elif row.by == BY_STEP_AND_ERROR:
            if row.failure is not None:
                numbers = found.steps[_time(row.step)] if row.is_now else found.before
                numbers.failed[row.failure] = row.replies
            continue
        else:
            numbers = found.models[row.model]
            numbers.models[row.model] += row.replies
            if row.failure is not None:
                numbers.failed[row.failure] = row.replies
        numbers.prompt_tokens += row.prompt_tokens
        numbers.completion_tokens += row.completion_tokens
    for numbers in found.models.values():
        found.whole.models.update(numbers.models)
        found.whole.failed.update(numbers.failed)
        found.whole.prompt_tokens += numbers.prompt_tokens
        found.whole.completion_tokens += numbers.completion_tokens


PEOPLE = """
SELECT extract(epoch FROM step)::bigint, people, seen_first FROM (
    SELECT CASE WHEN began_at >= %(begin)s THEN began_at END AS step, sum(people)::bigint AS people,
        coalesce(sum(people) FILTER (
            WHERE previous IS NULL OR previous < CASE WHEN began_at >= %(begin)s THEN %(begin)s ELSE %(before)s END
        ), 0)::bigint AS seen_first
    FROM conversations_usagepeople WHERE grain = %(grain)s AND began_at >= %(before)s AND began_at <= %(last)s
    GROUP BY step
) AS added_up
"""
"""By step: the people active in it, and those of them who were not active earlier in the range."""


class People(NamedTuple):
    """Different people in a step."""

    step: int | None
    """When it began, in seconds of the epoch; None for the stretch before."""
    people: int
    seen_first: int


def _add_people(found: Report, bounds: Bounds) -> None:
    for row in sql.rows(People, PEOPLE, asdict(bounds)):
        if row.step is None:
            found.before.people = row.seen_first
        else:
            found.steps[_time(row.step)].people = row.people
            found.whole.people += row.seen_first


TIMES = """
SELECT extract(epoch FROM began_at)::bigint, began_at >= %(begin)s, measure, array_agg(bucket ORDER BY bucket),
    array_agg(replies ORDER BY bucket)
FROM conversations_usagelatency
WHERE grain = %(grain)s AND began_at >= %(before)s AND began_at <= %(last)s AND model IS NULL
GROUP BY began_at, measure
"""
"""The histogram of each step, including those of the range before."""

MODEL_TIMES = """
SELECT model, measure, bucket, sum(replies)::bigint FROM conversations_usagelatency
WHERE grain = %(grain)s AND began_at >= %(begin)s AND began_at <= %(last)s AND model IS NOT NULL
GROUP BY model, measure, bucket
"""


class Histogram(NamedTuple):
    """A histogram of one measure in one step."""

    step: int
    """Time at which the step began, in seconds since 1970."""
    is_now: bool
    measure: str
    buckets: list[int]
    """Numbers of the buckets, the lowest first."""
    replies: list[int]
    """Number of replies in each bucket."""


class Bar(NamedTuple):
    """Replies of a model in a bucket of its times."""

    model: str
    measure: str
    bucket: int
    replies: int


def _add_times(found: Report, bounds: Bounds) -> None:
    stretches: dict[tuple[bool, str], Counter[int]] = defaultdict(Counter)
    for row in sql.rows(Histogram, TIMES, asdict(bounds)):
        stretches[row.is_now, row.measure].update(dict(zip(row.buckets, row.replies, strict=True)))
        if row.is_now:
            found.steps[_time(row.step)].times[Measure(row.measure)] = _percentiles(row.buckets, row.replies)
    models: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for bar in sql.rows(Bar, MODEL_TIMES, asdict(bounds)):
        models[bar.model, bar.measure][bar.bucket] = bar.replies
    for (is_now, measure), histogram in stretches.items():
        (found.whole if is_now else found.before).times[Measure(measure)] = _sorted(histogram)
    for (model, measure), histogram in models.items():
        found.models[model].times[Measure(measure)] = _sorted(histogram)


def _sorted(histogram: Counter[int]) -> Times:
    buckets = sorted(histogram)
    return _percentiles(buckets, [histogram[bucket] for bucket in buckets])


def _percentiles(buckets: Sequence[int], replies: Sequence[int]) -> Times:
    """Median and 95th percentile of a histogram: the first bucket up to which that share of the replies lies."""
    so_far = list(accumulate(replies))
    found = (buckets[bisect_left(so_far, so_far[-1] * share)] for share in (0.50, 0.95))
    return Times(*map(milliseconds, found))


def _time(seconds: int) -> datetime:
    """A time from the database, sent as a number: decoding thousands of timestamps takes longer than all the rest."""
    return datetime.fromtimestamp(seconds, UTC)
