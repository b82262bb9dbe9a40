"""Replies with tools: what a round adds, and what tools cost that are offered and not called."""

import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import uvloop

from benchmarks.figures import Figure, Report, percentile
from benchmarks.people import Person, sign_in
from benchmarks.rounds import Pace, through
from benchmarks.site import Server, Site, asking
from tests.kit.provider import Request, Script, ScriptedProvider, calls, tokens

ROUNDS = 100
RUNS = 10
AT_ONCE = 50
TOOL = "pause"
ANSWER = Pace(tokens=20)
"""The reply after the call; the first of its words tells the client that it comes."""

QUIET = Pace(tokens=200, interval=0.005)


@contextmanager
def with_tools() -> Iterator[None]:
    """Servers started within the block have the tools of the benchmarks."""
    before = os.environ["DJANGO_SETTINGS_MODULE"]
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    try:
        yield
    finally:
        os.environ["DJANGO_SETTINGS_MODULE"] = before


def measure(site: Site, *, rounds: int = ROUNDS, runs: int = RUNS) -> Report:
    """Measure rounds one after another, then replies that call nothing, with and without tools."""
    # One turn each: there is a limit for those of one person.
    milliseconds = added(site, sign_in(rounds + 1))
    plain, offered = costs(site, sign_in(AT_ONCE), runs)
    more = 100 * (statistics.median(offered) / statistics.median(plain) - 1)
    return Report(
        [
            Figure(
                "a round with a tool of 1 ms: from the call to the next request, p50",
                percentile(milliseconds, 0.5),
                "ms",
            ),
            Figure(
                "a round with a tool of 1 ms: from the call to the next request, p95",
                percentile(milliseconds, 0.95),
                "ms",
                most=40,
            ),
            Figure("CPU of a reply without tools", 1_000 * statistics.median(plain), "ms"),
            Figure("CPU of a reply that is offered a tool and calls none", 1_000 * statistics.median(offered), "ms"),
            Figure("more CPU for tools that are offered, median of alternating runs", more, "%"),
        ]
    )


def added(site: Site, people: Sequence[Person]) -> list[float]:
    """Milliseconds from the end of each answer with a call to the next request, of replies one after another."""
    with ScriptedProvider() as provider, asking(provider), with_tools(), site.server() as server:
        provider.answer_requests(_acting)
        for person in people:
            uvloop.run(_one(site, server, person))
        called = [request for request in provider.chats if not _has_result(request)]
        results = [request for request in provider.chats if _has_result(request)]
    pairs = zip(called, results, strict=True)
    found = [1_000 * (after.at - (before.finished_at or after.at)) for before, after in pairs]
    # The first one loads what later ones have.
    return found[1:]


def costs(site: Site, people: Sequence[Person], runs: int) -> tuple[list[float], list[float]]:
    """The server's CPU seconds a reply, in runs of many at once that alternate: without tools, and with one offered."""
    plain, offered = list[float](), list[float]()
    for _ in range(runs):
        for seconds, has_tools in ((plain, False), (offered, True)):
            with ExitStack() as stack:
                if has_tools:
                    stack.enter_context(with_tools())
                seconds.append(uvloop.run(_cost(site, stack.enter_context(site.server()), people)))
    return plain, offered


async def _cost(site: Site, server: Server, people: Sequence[Person]) -> float:
    await through(site, server, people[:10], Pace(tokens=20))
    load = await through(site, server, people, QUIET)
    if load.failures:
        raise RuntimeError(load.failures[0])
    return load.cpu["server"] / len(people)


async def _one(site: Site, server: Server, person: Person) -> None:
    """One reply with a call through the server. Raises `RuntimeError` if it fails."""
    load = await through(site, server, [person], ANSWER)
    if load.failures:
        raise RuntimeError(load.failures[0])


def _acting(request: Request) -> Script:
    """A call, then the words for which the client waits."""
    return tokens(ANSWER.tokens) if _has_result(request) else calls((TOOL, {}))


def _has_result(request: Request) -> bool:
    return bool(request.json["messages"][-1]["role"] == "tool")
