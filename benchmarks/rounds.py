"""One load, sent to the provider itself or through the server, and its cost."""

import gc
import json
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from benchmarks import client, machine
from benchmarks.client import Direct, Exchange, Times, Turn
from benchmarks.people import Person
from benchmarks.site import Server, Site
from conversations.models import Generation, Status
from tests.kit.provider import tokens

SPREAD = 2.0
"""Seconds over which the starts of a load are spread."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The scripted provider's reply: `tokens` words, `interval` seconds apart, after `first` seconds."""

    tokens: int = 200
    interval: float = 0.02
    first: float = 0.2

    @property
    def message(self) -> str:
        """The message with which a person requests this reply."""
        return f"script: tokens {self.tokens} {self.interval:g} {self.first:g}"

    @property
    def words(self) -> bytes:
        """Text of the reply, with single spaces."""
        return " ".join(tokens(self.tokens).text.split()).encode()


@dataclass(frozen=True, slots=True)
class Round:
    """One load: times of its replies, CPU seconds of each part, statements of the database."""

    times: list[Times]
    seconds: float
    cpu: dict[str, float]
    statements: int

    @property
    def failures(self) -> list[str]:
        """Reasons of the replies that failed."""
        return [times.failure for times in self.times if times.failure]

    def milliseconds(self, what: Callable[[Times], float]) -> list[float]:
        """One time of each successful reply, in milliseconds."""
        return [what(times) * 1_000 for times in self.times if not times.failure]

    def busy(self, part: str) -> float:
        """Share of one core that a part used, in per cent."""
        return 100 * self.cpu[part] / self.seconds


def joined(rounds: Sequence[Round]) -> Round:
    """Consecutive rounds as one round."""
    return Round(
        [times for one in rounds for times in one.times],
        sum(one.seconds for one in rounds),
        {part: sum(one.cpu[part] for one in rounds) for part in rounds[0].cpu},
        sum(one.statements for one in rounds),
    )


async def direct(site: Site, count: int, pace: Pace) -> Round:
    """Replies from the provider itself, `count` of them."""
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
    return await exchanges(site, None, address.port or 0, [partial(Direct, request)] * count)


async def through(site: Site, server: Server, people: Sequence[Person], pace: Pace) -> Round:
    """A reply to each of these people, through the server.

    Raises `RuntimeError` when the database lacks one that was shown.
    """
    words = pace.words
    # Only these people's: a prune may remove others' meanwhile.
    own = [person.user.pk for person in people]
    complete = Generation.objects.filter(status=Status.COMPLETE, conversation__user__in=own)
    before = await complete.acount()
    makes = [partial(Turn, person, pace.message, port=server.port, words=words) for person in people]
    load = await exchanges(site, server, server.port, makes)
    missing = len(people) - (await complete.acount() - before) - len(load.failures)
    if missing > 0:
        raise RuntimeError(f"{missing} replies were shown and are not in the database")
    return load


def cpu(site: Site, server: Server | None) -> dict[str, float]:
    """CPU seconds of each part so far, and of all other processes."""
    ours = {
        "server": server.cpu() if server else 0.0,
        "provider": site.provider_cpu(),
        "PostgreSQL": site.postgres_cpu(),
        "client": time.process_time(),
    }
    return ours | {"others": machine.machine_cpu_seconds() - sum(ours.values())}


def spent(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """CPU seconds of each part between two calls of `cpu`."""
    return {part: after[part] - before[part] for part in after}


async def exchanges(site: Site, server: Server | None, port: int, makes: Sequence[Callable[[], Exchange]]) -> Round:
    """Run these exchanges on new connections, their starts spread over `SPREAD`."""
    asks: list[Callable[[], Coroutine[None, None, Times]]] = [partial(client.play, make, port) for make in makes]
    # No garbage collection during the load.
    gc.collect()
    gc.disable()
    statements = site.statements()
    before, begin = cpu(site, server), time.perf_counter()
    times = await client.at_once(asks, spread=SPREAD if len(asks) > 1 else 0.0)
    seconds, after = time.perf_counter() - begin, cpu(site, server)
    gc.enable()
    return Round(times, seconds, spent(before, after), site.statements() - statements)
