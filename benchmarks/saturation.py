"""Overload: what the server delivers then, and the cost of a reply."""

import asyncio
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import uvloop

from benchmarks import client
from benchmarks.client import Times, Turn
from benchmarks.figures import Figure, Report, disturbance
from benchmarks.people import Person, sign_in
from benchmarks.rounds import Pace, cpu, spent, through
from benchmarks.site import Server, Site
from benchmarks.table import table

PACE = Pace(interval=0.005)
PEOPLE = 400
RISE_SECONDS = 12.0
"""Seconds until replies that all begin at the start have spread over time."""

WINDOW_SECONDS = 20.0
WARM_UPS = 10


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the load that is steady."""

    seconds: float
    replies: float
    """Number of replies in it, with fractions for those that only began or ended in it."""
    cpu: dict[str, float]
    failures: list[str]


def measure(site: Site, *, people: int = PEOPLE, rise: float = RISE_SECONDS, window: float = WINDOW_SECONDS) -> Report:
    """Each of many people sends the next turn as soon as the last reply has ended."""
    crowd = sign_in(people)
    with site.server() as server:
        seen = uvloop.run(_window(site, server, crowd, rise, window))
    shares = {part: f"{100 * seconds / seen.seconds:.0f} %" for part, seconds in seen.cpu.items()}
    headings = ("people", "replies", "seconds", "server's core", "provider", "PostgreSQL", "client", "others")
    cells = (str(people), f"{seen.replies:.0f}", f"{seen.seconds:.1f}", *shares.values())
    return Report(
        figures=[
            Figure("saturated: tokens delivered", seen.replies * PACE.tokens / seen.seconds, "tokens/s", least=10_000),
            Figure("saturated: server's CPU a reply", 1_000 * seen.cpu["server"] / seen.replies, "ms", most=20),
            Figure("saturated: replies that failed", len(seen.failures), "", most=0),
        ],
        tables=[f"Saturated: shares are those of one core within the window.\n\n{table(headings, [cells])}"],
        troubles=[
            *disturbance(100 * seen.cpu["others"] / seen.seconds),
            *(f"saturated: {failure}" for failure in dict.fromkeys(seen.failures)),
        ],
    )


def part_within(times: Times, opened: float, closed: float) -> float:
    """Fraction of a reply, from its first text to its end, that lies between two points in time."""
    begin, end = times.ended_at - times.last + times.first, times.ended_at
    if begin == end:
        return float(opened <= end < closed)
    return max(min(end, closed) - max(begin, opened), 0.0) / (end - begin)


async def _window(site: Site, server: Server, crowd: list[Person], rise: float, window: float) -> Window:
    await through(site, server, crowd[:WARM_UPS], Pace(tokens=20))
    gc.collect()
    gc.disable()
    loop = asyncio.get_running_loop()
    begin = loop.time()
    finish = begin + rise + window
    ended: list[Times] = []
    words = PACE.words

    async def go_on(person: Person, start: float) -> None:
        await asyncio.sleep(start - loop.time())
        make: Callable[[], Turn] = partial(Turn, person, PACE.message, port=server.port, words=words)
        while loop.time() < finish and not (ended and ended[-1].failure):
            ended.append(await client.play(make, server.port))

    spread = rise / 2 / len(crowd)
    running = [asyncio.create_task(go_on(person, begin + number * spread)) for number, person in enumerate(crowd)]
    await asyncio.sleep(rise)
    before, opened = cpu(site, server), time.perf_counter()
    await asyncio.sleep(finish - loop.time())
    after, closed = cpu(site, server), time.perf_counter()
    await asyncio.gather(*running)
    gc.enable()
    return Window(
        closed - opened,
        sum(part_within(times, opened, closed) for times in ended if not times.failure),
        spent(before, after),
        [times.failure for times in ended if times.failure],
    )
