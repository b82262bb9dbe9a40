"""Measured figures, and the bars that they must meet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

DISTURBING = 15
"""Per cent of a core taken by other processes that is tolerated; the system always takes some."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; without a bar it is informational."""

    name: str
    value: float
    unit: str
    most: float | None = None
    """The highest value that meets the bar."""
    least: float | None = None
    """The lowest value that meets the bar."""

    @property
    def bar(self) -> str:
        """The bar in words, or empty."""
        if self.most is not None:
            return f"at most {number(self.most)} {self.unit}".rstrip()
        return f"at least {number(self.least)} {self.unit}".rstrip() if self.least is not None else ""

    @property
    def is_met(self) -> bool | None:
        """Whether the value meets the bar; None without a bar. NaN meets none."""
        if self.most is not None:
            return self.value <= self.most
        return self.value >= self.least if self.least is not None else None

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Cells of the table: name, value, bar, and whether it is met."""
        verdict = {None: "", True: "yes", False: "**no**"}[self.is_met]
        return self.name, f"{number(self.value)} {self.unit}".rstrip(), self.bar, verdict


@dataclass(slots=True)
class Report:
    """Results of one part of the benchmarks: figures, Markdown tables, and sentences about problems."""

    figures: list[Figure] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def disturbance(share: float) -> list[str]:
    """A sentence about other processes that took `share` per cent of a core, if that is too much."""
    return [f"Other processes took {share:.0f} % of a core: measure again without them."] if share > DISTURBING else []


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed; NaN for none."""
    if not values:
        return math.nan
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def number(value: float) -> str:
    """The number with three significant digits and separated thousands; whole numbers without decimals."""
    if math.isnan(value):
        return "none"
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
