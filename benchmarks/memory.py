"""Open streams: memory, threads and database connections of each."""

import asyncio
import urllib.request
from dataclasses import dataclass
from functools import partial

import uvloop

from benchmarks import client, machine
from benchmarks.client import Held
from benchmarks.figures import Figure, Report
from benchmarks.people import Person, sign_in
from benchmarks.site import Server, Site

MESSAGE = "script: held 200"
COUNTS = (10, 100, 500)
SPREAD = 2.0
QUIET_SHARE = 0.1
"""Share of a core below which the server has nothing left to do."""

QUIET_WITHIN_SECONDS = 40.0
"""Seconds to wait; soon afterwards the server would give up a silent provider."""

MORE_THREADS, MORE_CONNECTIONS = 4, 8
"""Additional threads and connections allowed for many open streams compared to few.

A pool of threads may fill, and each thread of both may need a connection.
"""

MEGABYTE, KILOBYTE = 1_000_000, 1_000


@dataclass(frozen=True, slots=True)
class Sample:
    """The server's resources with a number of open streams."""

    streams: int
    resident: int
    threads: int
    connections: int


def measure(site: Site, *, counts: tuple[int, ...] = COUNTS) -> Report:
    """Measure the server after a first request, then with a growing number of open streams of running replies."""
    people = sign_in(max(counts))
    with site.server() as server:
        _open_page(server, people[0])
        idle = machine.resident_bytes(server.pid)
        few, *_, many = samples = uvloop.run(_samples(site, server, people, counts))
    each = (many.resident - few.resident) / (many.streams - few.streams)
    figures = [
        Figure("resident after a first request", idle / MEGABYTE, "MB", most=150),
        Figure(f"memory of an open stream ({few.streams} to {many.streams})", each / KILOBYTE, "kB", most=300),
        Figure(f"more threads ({few.streams} to {many.streams})", many.threads - few.threads, "", most=MORE_THREADS),
        Figure(
            f"more database connections ({few.streams} to {many.streams})",
            many.connections - few.connections,
            "",
            most=MORE_CONNECTIONS,
        ),
    ]
    for sample in samples:
        where = f"with {sample.streams} open streams"
        figures += [
            Figure(f"resident {where}", sample.resident / MEGABYTE, "MB"),
            Figure(f"threads {where}", sample.threads, ""),
            Figure(f"database connections {where}", sample.connections, ""),
        ]
    return Report(figures)


def _open_page(server: Server, person: Person) -> None:
    request = urllib.request.Request(f"{server.url}/", headers={"Cookie": person.cookies})
    with urllib.request.urlopen(request) as answer:
        answer.read()


async def _samples(site: Site, server: Server, people: list[Person], counts: tuple[int, ...]) -> list[Sample]:
    samples: list[Sample] = []
    held: list[Held] = []
    for count in counts:
        fresh = [Held(person, MESSAGE, port=server.port, words=b"The") for person in people[len(held) : count]]
        held += fresh
        await client.at_once([partial(client.play, partial(_same, one), server.port) for one in fresh], spread=SPREAD)
        await _quiet(server)
        if closed := [one for one in held if not one.is_open]:
            raise RuntimeError(f"{len(closed)} of {count} streams did not stay open: {closed[0].times.failure}")
        resident, threads = machine.resident_bytes(server.pid), machine.threads(server.pid)
        samples.append(Sample(count, resident, threads, site.connections()))
    for one in held:
        one.transport.close()
    return samples


def _same(one: Held) -> Held:
    return one


async def _quiet(server: Server) -> None:
    """Wait until the server has processed what has come of the replies."""
    async with asyncio.timeout(QUIET_WITHIN_SECONDS):
        share = 1.0
        while share > QUIET_SHARE:
            before = server.cpu()
            await asyncio.sleep(1)
            share = server.cpu() - before
