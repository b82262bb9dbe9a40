"""Charts as the coordinates of an SVG, beside the same values as a table. Knows numbers and names, nothing of what they
mean.

An SVG is stretched to the width of the page, so nothing in it is text: what is written stands around it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from django.utils.safestring import SafeString

HEIGHT, STEP, BAR = 100, 10, 7
"""Of the plot, of a step and of its bar, in the plot's own units."""

LEAST = 0.8
"""The height of a bar that is not nothing."""

COLOURS = "abcdef"

Values = Sequence[float | None]
Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Series:
    """One of the things that a chart shows, as a path."""

    name: str
    colour: str
    """A letter: the class that has the colour."""
    path: str


@dataclass(frozen=True, slots=True)
class Step:
    """One place on the horizontal axis."""

    x: int
    name: str
    values: list[str]
    """In words, one for each heading of the table."""


@dataclass(frozen=True, slots=True)
class Chart:
    """All that the template needs."""

    key: str
    title: str
    summary: str
    kind: str
    """`bars` or `lines`."""
    width: int
    ticks: list[str]
    """What stands at the top, the middle and the foot of the vertical axis."""
    labels: list[str]
    """What stands below, each at the start of its share of the width."""
    series: list[Series]
    headings: list[str]
    """Of the table: the series, and their sum where there are several that can be added."""
    steps: list[Step]

    # Hundreds of steps, thousands of values: as loops of a template they took longer than all else on the page.
    @property
    def hovers(self) -> SafeString:
        """An invisible bar over each step, which tells its values to a pointer."""
        return SafeString(
            "".join(
                f'<rect x="{step.x}" width="{STEP}" height="{HEIGHT}">'
                f"<title>{escape(f'{step.name}: {" / ".join(step.values)}')}</title></rect>"
                for step in self.steps
            )
        )

    @property
    def rows(self) -> SafeString:
        """The rows of the table."""
        return SafeString(
            "".join(
                f'<tr><th scope="row">{escape(step.name)}</th>'
                f"{''.join(f'<td>{escape(value)}</td>' for value in step.values)}</tr>"
                for step in self.steps
            )
        )


def bars(key: str, title: str, summary: str, *, names: Sequence[str], series: dict[str, Values], say: Format) -> Chart:
    """Bars, those of several series on top of each other."""
    columns = list(zip(*series.values(), strict=True))
    highest = max((sum(value or 0 for value in values) for values in columns), default=0)
    # Half of what is counted is a whole number too.
    top = nice(max(highest, 2) if all(isinstance(value, int) for values in columns for value in values) else highest)
    feet = [0.0] * len(names)
    drawn: list[Series] = []
    for (name, values), colour in zip(series.items(), COLOURS, strict=False):
        parts: list[str] = []
        for number, value in enumerate(values):
            if not value:
                continue
            x, foot = number * STEP + (STEP - BAR) / 2, feet[number]
            feet[number] = head = foot + max(value / top * HEIGHT, LEAST)
            parts.append(f"M{x:g} {HEIGHT - foot:.4g}V{HEIGHT - head:.4g}h{BAR}V{HEIGHT - foot:.4g}Z")
        drawn.append(Series(name, colour, "".join(parts)))
    if len(series) > 1:
        sums = [None if set(values) == {None} else sum(value or 0 for value in values) for values in columns]
        series = {**series, "All": sums}
    return _chart(key, title, summary, "bars", names, series, drawn, say, top)


def lines(key: str, title: str, summary: str, *, names: Sequence[str], series: dict[str, Values], say: Format) -> Chart:
    """Lines, each broken where it has no value."""
    top = nice(max((value or 0 for values in series.values() for value in values), default=0))
    drawn: list[Series] = []
    for (name, values), colour in zip(series.items(), COLOURS, strict=False):
        parts: list[str] = []
        move = "M"
        for number, value in enumerate(values):
            if value is None:
                move = "M"
                continue
            # A point between two gaps is a line without length, which round ends make a dot.
            parts.append(f"{move}{number * STEP + STEP // 2} {HEIGHT - value / top * HEIGHT:.4g}h0")
            move = "L"
        drawn.append(Series(name, colour, "".join(parts)))
    return _chart(key, title, summary, "lines", names, series, drawn, say, top)


def nice(value: float) -> float:
    """The smallest of 1, 2, 4, 6, 8, 10, 20, 40 … and their tenths that is not less; 1 of nothing."""
    if value <= 0:
        return 1
    unit = 1.0
    while unit * 10 < value:
        unit *= 10
    while unit > value:
        unit /= 10
    return next(unit * factor for factor in (1, 2, 4, 6, 8, 10) if unit * factor >= value)


def _chart(
    key: str,
    title: str,
    summary: str,
    kind: str,
    names: Sequence[str],
    series: dict[str, Values],
    drawn: list[Series],
    say: Format,
    top: float,
) -> Chart:
    rows = zip(*series.values(), strict=True) if series else [()] * len(names)
    steps = [
        Step(number * STEP, name, ["–" if value is None else say(value) for value in values])
        for number, (name, values) in enumerate(zip(names, rows, strict=True))
    ]
    return Chart(
        key=key,
        title=title,
        summary=summary,
        kind=kind,
        width=len(names) * STEP,
        ticks=[say(top), say(top / 2), say(0)],
        labels=list(names[:: max(len(names) // 6, 1)]),
        series=drawn,
        headings=list(series),
        steps=steps,
    )
