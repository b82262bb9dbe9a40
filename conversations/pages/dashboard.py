"""The admin's front page: how much the chat is used, how fast it answers, how often it fails."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format

from conversations.models import Grain, Measure
from conversations.pages.charts import COLOURS, Chart, Format, Values, bars, lines
from conversations.usage.counting import counted_to
from conversations.usage.looking import LONG_WAIT_SECONDS, WAIT_SECONDS, count_beside
from conversations.usage.reading import TIME_RANGES, Numbers, Report, TimeRange, Times, report

FRESH = timedelta(minutes=1)
"""Age up to which counts are shown without counting anew."""

NOTABLE = timedelta(minutes=15)
"""Age from which the page points out that counts are old."""

DEFAULT = TIME_RANGES[1]
NOBODY = "none asked"
"""Shown as the model of a turn that failed before a model was asked."""

OTHERS = "others"

MODELS_MAX = 50
"""Rows of the table by model, for the models with most turns."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the figures at the top, with its value in the range before."""

    name: str
    value: str
    before: str


def dashboard_context(key: str, *, seconds: float | None = None) -> dict[str, Any]:
    """Context of the dashboard for the time range of this key, else of the default one.

    New replies are counted in a thread, for which the page waits at most `seconds`; by default longer when the last
    count is old.
    """
    now = timezone.now().astimezone(UTC)
    as_of = counted_to()
    is_counted = bool(as_of and as_of > now - FRESH)
    if not is_counted:
        usual = WAIT_SECONDS if as_of and as_of > now - NOTABLE else LONG_WAIT_SECONDS
        is_counted = count_beside(now, seconds=usual if seconds is None else seconds)
        as_of = counted_to()
    chosen = next((one for one in TIME_RANGES if one.key == key), DEFAULT)
    found = report(chosen, now)
    return {
        "time_ranges": TIME_RANGES,
        "time_range": chosen,
        "as_of": as_of,
        "is_counting": not is_counted and not (as_of and as_of > now - NOTABLE),
        "zone": timezone.get_current_timezone_name() if chosen.grain == Grain.HOUR else "UTC",
        "turns": found.whole.turns,
        "before": count(found.before.turns),
        "figures": list(_figures(found.whole, found.before)),
        "charts": list(_charts(found)),
        "models": [
            _model_row(name, numbers, found.whole.turns) for name, numbers in islice(found.models.items(), MODELS_MAX)
        ],
    }


def _figures(now: Numbers, before: Numbers) -> Iterable[Figure]:
    yield _counted("Turns", now.turns, before.turns)
    yield _counted("Active people", now.people, before.people)
    yield _counted("Tokens", now.tokens, before.tokens)
    yield Figure("Error rate", _maybe(share, now.error_rate), f"{_maybe(share, before.error_rate)} before")
    for name, measure in (("First token", Measure.FIRST_TOKEN), ("Added latency", Measure.ADDED)):
        yield Figure(
            f"{name}, p50 / p95", _times(now.times.get(measure)), f"{_times(before.times.get(measure))} before"
        )


def _counted(name: str, now: int, before: int) -> Figure:
    if not before:
        return Figure(name, count(now), "none before")
    change = round((now - before) / before * 100)
    sign = "+" if change > 0 else "−" if change else "±"
    return Figure(name, count(now), f"{sign}{count(abs(change))} % · {short(before)} before")


def _charts(found: Report) -> Iterable[Chart]:
    names = [_name(found.time_range, began) for began in found.steps]
    whole, steps = found.whole, list(found.steps.values())
    series: dict[str, Values] = {
        name or NOBODY: [sum(numbers.models[model] for model in models) for numbers in steps]
        for name, models in _grouped(whole.models).items()
    }
    yield bars("turns", "Turns, by model", f"{count(whole.turns)} in all", names=names, series=series, say=count)
    series = {"People": [numbers.people for numbers in steps]}
    yield bars("people", "Active people", f"{count(whole.people)} different", names=names, series=series, say=count)
    series = {
        "Prompts": [numbers.prompt_tokens for numbers in steps],
        "Replies": [numbers.completion_tokens for numbers in steps],
    }
    yield bars("tokens", "Tokens", f"{count(whole.tokens)} in all", names=names, series=series, say=short)
    series = {name: [_share_of(numbers, codes) for numbers in steps] for name, codes in _grouped(whole.failed).items()}
    failed = f"{count(whole.failed.total())} turns failed"
    yield bars("errors", "Error rate, by code", failed, names=names, series=series, say=share)
    for measure, title in ((Measure.FIRST_TOKEN, "Time to first token"), (Measure.ADDED, "Added latency")):
        times = [numbers.times.get(measure) for numbers in steps]
        series = {
            "p50": [one.p50 if one else None for one in times],
            "p95": [one.p95 if one else None for one in times],
        }
        summary = f"p50 / p95: {_times(whole.times.get(measure))}"
        yield lines(measure.value, title, summary, names=names, series=series, say=duration)


def _grouped(found: Counter[str]) -> dict[str, set[str]]:
    """The most frequent names, each in a set of its own, and all others together: as many sets as there are colours."""
    most = [name for name, _ in found.most_common()]
    if len(most) > len(COLOURS):
        alone, rest = most[: len(COLOURS) - 1], most[len(COLOURS) - 1 :]
        return {name: {name} for name in alone} | {OTHERS: set(rest)}
    return {name: {name} for name in most}


def _share_of(numbers: Numbers, codes: set[str]) -> float | None:
    return sum(numbers.failed[code] for code in codes) / numbers.turns if numbers.turns else None


def _model_row(name: str, numbers: Numbers, turns: int) -> list[str]:
    return [
        name or NOBODY,
        count(numbers.turns),
        share(numbers.turns / turns) if turns else "–",
        count(numbers.tokens),
        _maybe(share, numbers.error_rate),
        _times(numbers.times.get(Measure.FIRST_TOKEN)),
        _times(numbers.times.get(Measure.ADDED)),
    ]


def _name(time_range: TimeRange, began: datetime) -> str:
    """Label of a step: an hour in the reader's time zone, or a day of UTC."""
    if time_range.grain == Grain.HOUR:
        return date_format(timezone.localtime(began), "H:i")
    return date_format(began, "j M")


def _times(times: Times | None) -> str:
    return f"{duration(times.p50)} / {duration(times.p95)}" if times else "–"


def _maybe(say: Format, value: float | None) -> str:
    return "–" if value is None else say(value)


def count(value: float) -> str:
    """A number with separated thousands: `12,345`."""
    return f"{round(value):,}"


def short(value: float) -> str:
    """A number with three significant digits: 12,300,000 is `12.3 M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 10 * size or value >= size > 1e3:
            return f"{_digits(value / size)} {unit}"
    return count(value)


def share(value: float) -> str:
    """A share, 0 to 1, in per cent."""
    return f"{_digits(value * 100, least=10)} %"


def duration(milliseconds: float) -> str:
    """A duration in ms or s, as exact as histograms know it."""
    if milliseconds < 995:
        return f"{round(milliseconds)} ms"
    return f"{_digits(milliseconds / 1_000, least=10)} s"


def _digits(value: float, *, least: float = 100) -> str:
    """The value with one decimal, without one when that is 0 or the value reaches `least`."""
    rounded = round(value, 1 if round(value, 1) < least else 0)
    return f"{rounded:,.0f}" if rounded == int(rounded) else f"{rounded:,.1f}"
