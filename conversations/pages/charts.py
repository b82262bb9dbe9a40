"""Charts as coordinates of an SVG, with a table of the same values; independent of their meaning.

An SVG is stretched to the width of the page, so it contains no text; labels stand around it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from django.utils.safestring import SafeString

HEIGHT, STEP, BAR = 100, 10, 7
"""Height of the plot, width of a step and of its bar, in the plot's units."""

LEAST = 0.8
"""Height of a bar whose value is small but not 0."""

COLOURS = "abcdef"

Values = Sequence[float | None]
Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a chart, as the path of an SVG."""

    name: str
    colour: str
    """A letter of the CSS class with the colour."""
    path: str


@dataclass(frozen=True, slots=True)
class Step:
    """One position on the horizontal axis."""

    x: int
    name: str
    values: list[str]
    """The values in words, one for each heading of the table."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with all values that the template needs."""

    key: str
    title: str
    summary: str
    kind: str
    """Kind of the chart: `bars` or `lines`."""
    width: int
    ticks: list[str]
    """Labels at the top, the middle and the foot of the vertical axis."""
    labels: list[str]
    """Labels below the chart, each at the start of its share of the width."""
    series: list[Series]
    headings: list[str]
    """Headings of the table: the series, and their sum where several can be added."""
    steps: list[Step]

    # Built here, because loops of a template over thousands of values take longer than all else on the page.
    @property
    def hovers(self) -> SafeString:
        """HTML of an invisible bar over each step, which shows its values on hover."""
        return SafeString(
            "".join(
                f'<rect x="{step.x}" width="{STEP}" height="{HEIGHT}">'
                f"<title>{escape(f'{step.name}: {" / ".join(step.values)}')}</title></rect>"
                for step in self.steps
            )
        )

    @property
    def rows(self) -> SafeString:
        """HTML of the table's rows."""
        return SafeString(
            "".join(
                f'<tr><th scope="row">{escape(step.name)}</th>'
                f"{''.join(f'<td>{escape(value)}</td>' for value in step.values)}</tr>"
                for step in self.steps
            )
        )


def bars(key: str, title: str, summary: str, *, names: Sequence[str], series: dict[str, Values], say: Format) -> Chart:
    """A chart of bars, with the bars of several series stacked."""
    columns = list(zip(*series.values(), strict=True))
    highest = max((sum(value or 0 for value in values) for values in columns), default=0)
    # The label at half height must be a whole number, too, when whole things are counted.
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
    """A chart of lines, each broken where it has no value."""
    top = nice(max((value or 0 for values in series.values() for value in values), default=0))
    drawn: list[Series] = []
    for (name, values), colour in zip(series.items(), COLOURS, strict=False):
        parts: list[str] = []
        move = "M"
        for number, value in enumerate(values):
            if value is None:
                move = "M"
                continue
            # A point between two gaps is a line without length, which round line ends show as a dot.
            parts.append(f"{move}{number * STEP + STEP // 2} {HEIGHT - value / top * HEIGHT:.4g}h0")
            move = "L"
        drawn.append(Series(name, colour, "".join(parts)))
    return _chart(key, title, summary, "lines", names, series, drawn, say, top)


def nice(value: float) -> float:
    """The smallest of 1, 2, 4, 6, 8, 10, 20, 40 … and their tenths that is not less than the value; 1 for 0."""
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
