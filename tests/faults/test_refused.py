"""While the database is away a request is refused after two seconds, and a probe hears of it within one."""

import asyncio
import http.client
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.faults.cable import Cable
from tests.faults.database import Database
from tests.faults.site import Process
from tests.provider import ScriptedProvider

TOGETHER = 16
"""Requests at once: four times as many as there are threads."""

SECONDS = 2.0
LATE = 1.5
"""Seconds by which a busy machine may be late; far from the minute that a queue of waiting threads would take."""

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


@pytest.mark.parametrize("fault", [pytest.param(Cable.break_off, marks=pytest.mark.full), Cable.fall_silent])
async def test_requests_are_refused_soon_and_answered_again_once_it_is_back(
    database: Database, provider: ScriptedProvider, tmp_path: Path, fault: Callable[[Cable], Awaitable[None]]
) -> None:
    async with Cable(database) as cable:
        process = Process(log=tmp_path / "log", OPENAI_BASE_URL=provider.url, **cable.environment)
        await asyncio.to_thread(process.start)
        try:
            for path, status in (("/readyz", 200), ("/", 302), ("/accounts/login/", 200)):
                assert [answer[0] for answer in await at_once(process.url, path, 4)] == [status] * 4
            await fault(cable)
            # Twice: what the first ones have left behind must keep nobody waiting.
            for _ in range(2):
                await all_are_refused(process.url)
            await cable.mend()
            until = time.monotonic() + 30
            while (await at_once(process.url, "/"))[0][0] != 302:
                assert time.monotonic() < until
            while (await at_once(process.url, "/readyz"))[0][0] != 200:
                assert time.monotonic() < until
        finally:
            await asyncio.to_thread(process.stop)


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
        assert "The database gives no answer" in body
        assert int({name.lower(): value for name, value in headers.items()}["retry-after"]) > 0
        assert seconds < SECONDS + LATE
    for _, _, body, seconds in programs:
        assert '"unavailable"' in body
        assert seconds < SECONDS + LATE
    for _, _, body, seconds in probes:
        assert body == "the database is away"
        assert seconds < 1.0
