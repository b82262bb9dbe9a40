"""Threads in which asynchronous code uses the database: the one place that gives their connections back."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from django.db import InterfaceError, InternalError, OperationalError, connection

from chatbot.core.database import note_away

DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)
"""Exceptions raised while the database is away, restarting, or failing over."""

SILENCE_SECONDS = 5.0
"""Seconds after which an answer counts as coming from an unreachable database."""


class DatabaseThreads:
    """A few threads for blocking functions that use the database."""

    def __init__(self, count: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._closed = False

    async def run[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the function in a thread, then give the thread's connection back to the pool.

        A cancelled caller does not end the function. After `close` the call raises like an unreachable database.
        """
        if self._closed:
            raise OperationalError("this process is ending")

        def call() -> T:
            begun = time.monotonic()
            try:
                return function(*args, **kwargs)
            except DATABASE_AWAY:
                note_away()
                raise
            finally:
                if time.monotonic() - begun > SILENCE_SECONDS:
                    note_away()
                connection.close()

        return await asyncio.get_running_loop().run_in_executor(self._executor, copy_context().run, call)

    def close(self) -> None:
        """Accept no more functions; running ones complete."""
        self._closed = True
        self._executor.shutdown(wait=False)
