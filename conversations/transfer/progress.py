"""Imports of this process: each in a thread, watched by the page that began it."""

import asyncio
from collections.abc import AsyncGenerator
from typing import IO
from uuid import UUID

from accounts.models import User
from chatbot.core.process import Part
from chatbot.core.threads import DatabaseThreads
from conversations.transfer import imports
from conversations.transfer.imports import Outcome, Result

THREADS = 2
"""Imports that run at once in one process; further ones wait."""

KEEP_ALIVE_SECONDS = 15.0
PAUSE_SECONDS = 0.1
"""Least seconds between two parts of the page; results in between are shown together."""

threads = Part(lambda: DatabaseThreads(THREADS, "import"))
"""The threads in which imports run, apart from those that answer requests."""

_running = Part(dict[UUID, asyncio.Task[None]])
"""Imports by person, those that wait for a thread included: each keeps a file on the disk."""


class Progress:
    """A running import. It continues without viewers, and ends early only with its process.

    A second import of the same person ends at once, its file closed.
    """

    def __init__(self, user: User, file: IO[bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._fresh: list[Result] = []
        self._ended = self._is_stopping = False
        running = _running()
        if user.pk in running:
            file.close()
            self._ended = True
            self._hear(Result(0, "", Outcome.FAILED, imports.BUSY))
            return
        # The event loop keeps no reference to a task.
        task = running[user.pk] = asyncio.create_task(self._run(user, file), name="import")
        task.add_done_callback(lambda _: running.pop(user.pk, None))

    async def results(self) -> AsyncGenerator[list[Result]]:
        """Results as they come; an empty list when there was none for a while."""
        while not self._ended or self._fresh:
            try:
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                yield []
                continue
            self._changed.clear()
            fresh, self._fresh = self._fresh, []
            if fresh:
                yield fresh
                await asyncio.sleep(PAUSE_SECONDS)

    async def _run(self, user: User, file: IO[bytes]) -> None:
        try:
            with file:
                await threads().run(imports.run, user, file, self._tell, self._goes_on)
        finally:
            self._is_stopping = self._ended = True
            self._changed.set()

    def _tell(self, result: Result) -> None:
        """Pass a result on from the import's thread."""
        self._loop.call_soon_threadsafe(self._hear, result)

    def _hear(self, result: Result) -> None:
        self._fresh.append(result)
        self._changed.set()

    def _goes_on(self) -> bool:
        return not self._is_stopping
