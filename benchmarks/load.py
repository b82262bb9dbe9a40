"""Replies at once: how much later than from the provider itself each one comes through the server."""

import gc
import json
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from benchmarks import client
from benchmarks.client import Direct, Exchange, Times, Turn
from benchmarks.figures import Figure, percentile
from benchmarks.people import Person
from benchmarks.site import Server, Site
from conversations.models import Generation, Status
from tests.provider import tokens

TOKENS = 200
INTERVAL = 0.02
FIRST = 0.2
SPREAD = 2.0
LEVELS = (1, 50, 200, 500)
ROUNDS_OF_ONE = 5
WARM_UPS = 10


@dataclass(frozen=True, slots=True)
class Pace:
    """The reply that the scripted provider gives: so many tokens, `interval` seconds apart, after `first` seconds."""

    tokens: int = TOKENS
    interval: float = INTERVAL
    first: float = FIRST

    @property
    def message(self) -> str:
        """What a person says to get it."""
        return f"script: tokens {self.tokens} {self.interval:g} {self.first:g}"

    @property
    def words(self) -> bytes:
        """Its text, white space as single blanks."""
        return " ".join(tokens(self.tokens).text.split()).encode()


@dataclass(frozen=True, slots=True)
class Round:
    """One load: the times of its replies, and the CPU seconds that each part took meanwhile."""

    times: list[Times]
    seconds: float
    cpu: dict[str, float]

    @property
    def failures(self) -> list[str]:
        """Why replies did not come."""
        return [times.failure for times in self.times if times.failure]

    def milliseconds(self, what: Callable[[Times], float]) -> list[float]:
        """One time of each reply that came."""
        return [what(times) * 1_000 for times in self.times if not times.failure]

    def busy(self, part: str) -> float:
        """Share of one core that a part took, in percent."""
        return 100 * self.cpu[part] / self.seconds


@dataclass(frozen=True, slots=True)
class Level:
    """So many replies at once, from the provider itself and through the server."""

    count: int
    direct: Round
    through: Round

    def added(self, what: Callable[[Times], float], share: float) -> float:
        """A percentile of the time that each reply took more than the direct client's median, in milliseconds."""
        usual = percentile(self.direct.milliseconds(what), 0.5)
        return percentile(self.through.milliseconds(what), share) - usual

    @property
    def cpu_per_reply(self) -> float:
        """CPU milliseconds of the server."""
        return 1_000 * self.through.cpu["server"] / len(self.through.times)

    @property
    def figures(self) -> list[Figure]:
        """Those that have a bar."""
        found: list[Figure] = []
        if self.count == 200:
            found += [
                Figure("200 at once: added time to the first token, p95", self.added(first, 0.95), "ms", most=250),
                Figure("200 at once: added time to the last token, p95", self.added(last, 0.95), "ms", most=500),
            ]
        if self.count == 500:
            found.append(Figure("500 at once: failures", len(self.through.failures), "", most=0))
        return found


HEADINGS = (
    "replies at once",
    "failed",
    "direct first p50/p95",
    "added first p50/p95",
    "direct last p50/p95",
    "added last p50/p95",
    "POST p50/p95",
    "CPU a reply",
    "core use: server",
    "provider",
    "PostgreSQL",
    "client",
    "client, direct",
)


def cells(level: Level) -> tuple[str, ...]:
    """A level as a line under `HEADINGS`; times in milliseconds."""

    def pair(values: Sequence[float]) -> str:
        return f"{values[0]:,.0f} / {values[1]:,.0f}"

    def spread(load: Round, what: Callable[[Times], float]) -> str:
        return pair([percentile(load.milliseconds(what), share) for share in (0.5, 0.95)])

    def added(what: Callable[[Times], float]) -> str:
        return pair([level.added(what, share) for share in (0.5, 0.95)])

    return (
        str(level.count),
        str(len(level.through.failures) + len(level.direct.failures)),
        spread(level.direct, first),
        added(first),
        spread(level.direct, last),
        added(last),
        spread(level.through, answered),
        f"{level.cpu_per_reply:.1f} ms",
        *(f"{level.through.busy(part):.0f} %" for part in ("server", "provider", "PostgreSQL", "client")),
        f"{level.direct.busy('client'):.0f} %",
    )


def first(times: Times) -> float:
    """The time to the first visible token."""
    return times.first


def last(times: Times) -> float:
    """The time to the end."""
    return times.last


def answered(times: Times) -> float:
    """The time to the answer of the POST."""
    return times.answered


async def measure(site: Site, server: Server, people: list[Person], counts: Sequence[int]) -> list[Level]:
    """Each level, first direct, then through the server."""
    await through(site, server, people[:WARM_UPS], Pace(tokens=20))
    return [await level(site, server, people, count) for count in counts]


async def level(site: Site, server: Server, people: list[Person], count: int) -> Level:
    """One level. A single reply tells little: it is asked for several times, one after another."""
    pace = Pace()
    if count > 1:
        return Level(count, await direct(site, count, pace), await through(site, server, people[:count], pace))
    rounds = [
        (await direct(site, 1, pace), await through(site, server, people[number : number + 1], pace))
        for number in range(ROUNDS_OF_ONE)
    ]
    return Level(1, joined([pair[0] for pair in rounds]), joined([pair[1] for pair in rounds]))


def joined(rounds: list[Round]) -> Round:
    """Rounds that came one after another as one."""
    return Round(
        [times for one in rounds for times in one.times],
        sum(one.seconds for one in rounds),
        {part: sum(one.cpu[part] for one in rounds) for part in rounds[0].cpu},
    )


async def direct(site: Site, count: int, pace: Pace) -> Round:
    """So many replies from the provider itself."""
    body = {
        "model": "scripted",
        "messages": [{"role": "user", "content": pace.message}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    content = json.dumps(body).encode()
    address = urlsplit(site.provider_url)
    head = (
        f"POST {address.path}/chat/completions HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    request = head.encode() + content
    return await _round(site, None, address.port or 0, [partial(Direct, request)] * count)


async def through(site: Site, server: Server, people: list[Person], pace: Pace) -> Round:
    """A reply to each of these people, through the server. Counts as failed what the database does not have."""
    words = pace.words
    complete = Generation.objects.filter(status=Status.COMPLETE)
    before = await complete.acount()
    makes = [partial(Turn, person, pace.message, port=server.port, words=words) for person in people]
    load = await _round(site, server, server.port, makes)
    missing = len(people) - (await complete.acount() - before) - len(load.failures)
    if missing > 0:
        raise RuntimeError(f"{missing} replies were shown and are not in the database")
    return load


async def _round(site: Site, server: Server | None, port: int, makes: Sequence[Callable[[], Exchange]]) -> Round:
    asks: list[Callable[[], Coroutine[None, None, Times]]] = [partial(client.play, make, port) for make in makes]
    # No collection of garbage in the middle of the load.
    gc.collect()
    gc.disable()
    before, begin = _cpu(site, server), time.perf_counter()
    times = await client.at_once(asks, spread=SPREAD if len(asks) > 1 else 0.0)
    seconds, after = time.perf_counter() - begin, _cpu(site, server)
    gc.enable()
    return Round(times, seconds, {part: after[part] - before[part] for part in after})


def _cpu(site: Site, server: Server | None) -> dict[str, float]:
    return {
        "server": server.cpu() if server else 0.0,
        "provider": site.provider_cpu(),
        "PostgreSQL": site.postgres_cpu(),
        "client": time.process_time(),
    }
