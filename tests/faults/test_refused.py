"""While the database is away a request is refused after two seconds, and a probe hears of it within one."""

import asyncio
import http.client
import runpy
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.faults.cable import Cable
from tests.faults.database import Database
from tests.faults.site import Process
from tests.kit.provider import ScriptedProvider
from tests.kit.server import ROOT

TOGETHER = 16
"""Requests at once: four times as many as there are threads."""

SECONDS = 15.0
"""Within which any machine refuses; far from the minute that a queue of waiting threads would take."""

PATIENCE = 60.0

Answer = tuple[int, dict[str, str], str, float]


def ask(url: str, path: str, **headers: str) -> Answer:
    """Status, headers and body of an answer, and the seconds until it was there."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    # A session that has to be looked up.
    connection.request("GET", path, headers={"Cookie": "sessionid=" + "a" * 32} | headers)
    with connection.getresponse() as answer:
        body = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), body, time.monotonic() - begun


async def at_once(url: str, path: str, count: int = 1, **headers: str) -> list[Answer]:
    return await asyncio.gather(*(asyncio.to_thread(ask, url, path, **headers) for _ in range(count)))


def test_a_request_waits_two_seconds_and_a_probe_less_than_one() -> None:
    # As the site has them, whatever the settings of the tests say.
    patience = runpy.run_path(str(ROOT / "chatbot" / "web" / "pulse.py"))
    assert patience["REFUSE_AFTER"] == 2
    assert patience["SOON"] < 1


@pytest.mark.parametrize("fault", [pytest.param(Cable.break_off, marks=pytest.mark.full), Cable.fall_silent])
async def test_requests_are_refused_soon_and_answered_again_once_it_is_back(
    database: Database, provider: ScriptedProvider, tmp_path: Path, fault: Callable[[Cable], Awaitable[None]]
) -> None:
    async with Cable(database) as cable:
        process = Process(log=tmp_path / "log", OPENAI_BASE_URL=provider.url, **cable.environment)
        await asyncio.to_thread(process.start)
        try:
            for path, status in (("/readyz", 200), ("/", 302), ("/accounts/login/", 200)):
                await until_answered(process.url, path, status, 4)
            await fault(cable)
            # Twice: what the first ones have left behind must keep nobody waiting.
            for _ in range(2):
                await all_are_refused(process.url)
            await cable.mend()
            await until_answered(process.url, "/", 302)
            await until_answered(process.url, "/readyz", 200)
        finally:
            await asyncio.to_thread(process.stop)


async def until_answered(url: str, path: str, status: int, count: int = 1) -> None:
    """Ask so many at once, again and again, until this is the status of all their answers."""
    until = time.monotonic() + PATIENCE
    while (found := [answer[0] for answer in await at_once(url, path, count)]) != [status] * count:
        assert time.monotonic() < until, (path, found)


async def all_are_refused(url: str) -> None:
    pages, programs, probes, alive = await asyncio.gather(
        at_once(url, "/", TOGETHER, Accept="text/html"),
        at_once(url, "/v1/models", 2, Authorization="Bearer chat_" + "a" * 40),
        at_once(url, "/readyz", 2),
        at_once(url, "/healthz", 2),
    )
    assert [answer[0] for answer in [*pages, *programs, *probes]] == [503] * (TOGETHER + 4)
    assert [answer[0] for answer in alive] == [200, 200]
    for _, headers, body, seconds in pages:
        assert "The database does not respond" in body
        assert int({name.lower(): value for name, value in headers.items()}["retry-after"]) > 0
        assert seconds < SECONDS
    for _, _, body, seconds in programs:
        assert '"unavailable"' in body
        assert seconds < SECONDS
    for _, _, body, seconds in probes:
        assert body == "the database is not available"
        assert seconds < SECONDS
