"""Concurrent replies: how much later each comes through the server than from the provider itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import uvloop

from benchmarks import machine
from benchmarks.client import Times
from benchmarks.figures import Figure, Report, disturbance, percentile
from benchmarks.people import Person, sign_in
from benchmarks.rounds import Pace, Round, direct, joined, through
from benchmarks.site import Server, Site
from benchmarks.table import table

LEVELS = (1, 50, 200, 500)
ROUNDS_OF_ONE = 5
WARM_UPS = 10

CAPTION = "Replies at once: times are p50 / p95 in milliseconds; shares are those of one core during the load."
HEADINGS = (
    "replies at once",
    "failed",
    "direct: first",
    "added: first",
    "direct: last",
    "added: last",
    "POST",
    "CPU a reply",
    "statements a reply",
    "server's core",
    "provider",
    "PostgreSQL",
    "client",
    "others",
    "client, direct",
)


@dataclass(frozen=True, slots=True)
class Level:
    """Concurrent replies of one number, from the provider itself and through the server."""

    count: int
    direct: Round
    through: Round

    def added(self, what: Callable[[Times], float], share: float) -> float:
        """A percentile of the replies' times minus the direct client's median, in milliseconds."""
        usual = percentile(self.direct.milliseconds(what), 0.5)
        return percentile(self.through.milliseconds(what), share) - usual

    @property
    def figures(self) -> list[Figure]:
        """The figures that have a bar."""
        if self.count == 200:
            return [
                Figure("200 at once: added time to the first token, p95", self.added(first, 0.95), "ms", most=250),
                Figure("200 at once: added time to the last token, p95", self.added(last, 0.95), "ms", most=500),
                Figure("200 at once: database statements a reply", self._each(self.through.statements), ""),
            ]
        if self.count == 500:
            return [Figure("500 at once: replies that failed", len(self.through.failures), "", most=0)]
        return []

    @property
    def cells(self) -> tuple[str, ...]:
        """Cells of a row below `HEADINGS`; times are p50 / p95 in milliseconds, shares those of a core."""

        def pair(values: Sequence[float]) -> str:
            return " / ".join(f"{value:,.0f}" for value in values)

        def spread(load: Round, what: Callable[[Times], float]) -> str:
            return pair([percentile(load.milliseconds(what), share) for share in (0.5, 0.95)])

        def added(what: Callable[[Times], float]) -> str:
            return pair([self.added(what, share) for share in (0.5, 0.95)])

        return (
            str(self.count),
            str(len(self.through.failures) + len(self.direct.failures)),
            spread(self.direct, first),
            added(first),
            spread(self.direct, last),
            added(last),
            spread(self.through, answered),
            f"{1_000 * self._each(self.through.cpu['server']):.1f} ms",
            f"{self._each(self.through.statements):.1f}",
            *(f"{self.through.busy(part):.0f} %" for part in ("server", "provider", "PostgreSQL", "client", "others")),
            f"{self.direct.busy('client'):.0f} %",
        )

    def _each(self, total: float) -> float:
        return total / len(self.through.times)


def first(times: Times) -> float:
    """Seconds to the first visible token."""
    return times.first


def last(times: Times) -> float:
    """Seconds to the reply's end."""
    return times.last


def answered(times: Times) -> float:
    """Seconds to the response of the POST."""
    return times.answered


def measure(site: Site, counts: Sequence[int], *, rounds_of_one: int = ROUNDS_OF_ONE) -> Report:
    """Measure concurrent replies, one number after another."""
    people = sign_in(max(*counts, WARM_UPS))
    with site.server() as server:
        levels = uvloop.run(_levels(site, server, people, counts, rounds_of_one))
    rounds = [(level.count, failure) for level in levels for failure in level.through.failures + level.direct.failures]
    return Report(
        figures=[figure for level in levels for figure in level.figures],
        tables=[f"{CAPTION}\n\n{table(HEADINGS, [level.cells for level in levels])}"],
        troubles=[
            *machine.crowding(),
            *disturbance(max(level.through.busy("others") for level in levels)),
            *(f"{count} at once: {failure}" for count, failure in dict.fromkeys(rounds)),
        ],
    )


async def _levels(
    site: Site, server: Server, people: Sequence[Person], counts: Sequence[int], rounds_of_one: int
) -> list[Level]:
    await through(site, server, people[:WARM_UPS], Pace(tokens=20))
    return [await _level(site, server, people[:count], rounds_of_one) for count in counts]


async def _level(site: Site, server: Server, people: Sequence[Person], rounds_of_one: int) -> Level:
    """One number of replies; a single reply is measured several times, because one says little."""
    pace, count = Pace(), len(people)
    rounds = [
        (await direct(site, count, pace), await through(site, server, people, pace))
        for _ in range(rounds_of_one if count == 1 else 1)
    ]
    return Level(count, joined([pair[0] for pair in rounds]), joined([pair[1] for pair in rounds]))
