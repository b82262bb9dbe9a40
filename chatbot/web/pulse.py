"""Checks the database while requests wait for it; when it is away, requests are refused after two seconds."""

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import psycopg
from django.db import connection

from chatbot.core.database import note_away

LOOK_AFTER = 0.5
"""Seconds of a request after which the database is checked; nearly all requests take less."""

REFUSE_AFTER = 2.0
"""Seconds after which a request is refused if the database is away."""

SOON = 0.8
"""Seconds after which a probe is told that the database does not answer."""

TICK = 0.1
"""Seconds between two checks of how long requests have waited."""

BEAT = 0.25
"""Seconds between two checks of the database."""

ANSWER = 1.3
"""Seconds for a connection and an answer; a server that does not respond may still accept connections."""


class DatabaseAway(Exception):
    """The database does not answer, and the request has waited long enough."""


class Pulse:
    """Checks the database repeatedly while requests wait, once for all of them."""

    def __init__(self) -> None:
        self.is_away = False
        """Result of the last check; meaningless while nobody waits."""
        self._waiting: dict[asyncio.Future[Any], float] = {}
        """The loop's time at which each wait began, the oldest first."""
        self._ticking: asyncio.TimerHandle | None = None
        self._beating: asyncio.Task[None] | None = None

    async def awaited[T](self, making: Future[T], *, soon: bool = False) -> T:
        """The result of a thread's work. Raises `DatabaseAway` when it is late and the database is away.

        `soon` raises without a check of the database, for a program that asks every second and waits only briefly.
        """
        # One timer for all: a time-out per request costs more than the waiting itself.
        loop = asyncio.get_running_loop()
        made: asyncio.Future[T] = loop.create_future()

        def come(making: Future[T]) -> None:
            # The loop may be closed by then, when nobody waits any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, made, making)

        making.add_done_callback(come)
        self._waiting[made] = loop.time()
        refusing = loop.call_later(SOON, _refuse, made) if soon else None
        if self._ticking is None:
            self._ticking = loop.call_later(TICK, self._tick)
        try:
            return await made
        finally:
            del self._waiting[made]
            if refusing:
                refusing.cancel()

    def _tick(self) -> None:
        """Check how long requests have waited: start a check of the database, refuse those that waited long enough."""
        self._ticking = None
        if not self._waiting:
            return
        loop = asyncio.get_running_loop()
        self._ticking = loop.call_later(TICK, self._tick)
        if self._is_felt() and (self._beating is None or self._beating.done()):
            self.is_away = False
            self._beating = asyncio.create_task(self._beat(), name="pulse")
        if self.is_away:
            late = loop.time() - REFUSE_AFTER
            for made, since in list(self._waiting.items()):
                if since > late:
                    break
                _refuse(made)

    def _is_felt(self) -> bool:
        """Whether a request has waited for `LOOK_AFTER` seconds."""
        oldest = next(iter(self._waiting.values()), None)
        return oldest is not None and asyncio.get_running_loop().time() - oldest >= LOOK_AFTER

    async def _beat(self) -> None:
        while self._is_felt():
            self.is_away = not await answers(ANSWER)
            if self.is_away:
                note_away()
            await asyncio.sleep(BEAT)


def _settle[T](made: asyncio.Future[T], making: Future[T]) -> None:
    if made.done():
        # The waiting request is gone.
        return
    if making.cancelled():
        made.cancel()
    elif error := making.exception():
        made.set_exception(error)
    else:
        made.set_result(making.result())


def _refuse(made: asyncio.Future[Any]) -> None:
    if not made.done():
        made.set_exception(DatabaseAway())


async def answers(seconds: float) -> bool:
    """Whether the database answers within `seconds` on a new connection; open ones may be dead."""
    try:
        async with asyncio.timeout(seconds), await psycopg.AsyncConnection.connect(**parameters()) as asked:
            await asked.execute("SELECT 1")
    except (OSError, psycopg.Error, TimeoutError):
        return False
    return True


def parameters() -> dict[str, Any]:
    """The database's parameters from the pool, without those for its own class of connections."""
    wrapper: Any = connection
    known = wrapper.pool.kwargs
    return {name: value for name, value in known.items() if name not in {"context", "cursor_factory"}}
