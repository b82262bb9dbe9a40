"""Running one call of a tool: in a thread or in the event loop, within bounds, with its result stored."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from django.conf import settings

from accounts.models import User
from chatbot.telemetry import metrics
from tools.async_calls import in_loop
from tools.define import Call
from tools.ended import End, Ended, Stopped
from tools.job import Job, Store
from tools.sync_calls import in_thread
from tools.sync_calls import stopped as stopped_call
from tools.tool import Tool

__all__ = ["End", "Ended", "Stopped", "Store", "run"]

OFF = "The tool was not run: tools are turned off on this site."


async def run(tool: Tool, *, user: User, arguments: Mapping[str, Any], call: Call, store: Store) -> Ended:
    """Run one call, and say how it ended; raises `Stopped`, and nothing else, when the running task is cancelled.

    `arguments` are those that `Tool.arguments` has read. `store` gets the result in a thread with a transaction, and
    returns whether it was stored: False if somebody else has taken over. The transaction of an atomic tool is the one
    in which it runs, and it is rolled back with everything that the tool did unless the result is stored. All other
    tools have ended before. Ends without a result are for the caller to store.

    The call's progress is told in the event loop, only the latest, and never after the end.
    """
    begun = time.monotonic()
    progress = Progress(call.on_progress)
    job = Job(tool, user, arguments, replace(call, on_progress=progress.tell), store)
    try:
        ended = await _way(job)
    except Stopped as stopped:
        stopped.ended = _counted(tool, stopped.ended, begun)
        raise
    except asyncio.CancelledError:
        # Cancelled once more, while the first one was heeded.
        raise Stopped(_counted(tool, stopped_call(may_have_happened=not tool.read_only), begun)) from None
    finally:
        progress.end()
    return _counted(tool, ended, begun)


async def _way(job: Job) -> Ended:
    if not settings.CHAT_TOOLS:
        return Ended(End.FAILED, OFF, detail="Tools are turned off.")
    return await (in_loop(job) if job.tool.is_async else in_thread(job))


def _counted(tool: Tool, ended: Ended, begun: float) -> Ended:
    seconds = time.monotonic() - begun
    metrics.tool_calls.labels(tool.name, ended.end.value).inc()
    metrics.tool_seconds.labels(tool.name).observe(seconds)
    return replace(ended, seconds=seconds)


class Progress:
    """What a call says of its progress, from whichever thread, told in the event loop in which this was made."""

    def __init__(self, on_progress: Callable[[str], None]) -> None:
        self._on_progress = on_progress
        self._loop = asyncio.get_running_loop()
        self._latest: str | None = None
        self._has_ended = False
        self._lock = threading.Lock()

    def tell(self, words: str) -> None:
        """Tell the words, unless later ones overtake them. Safe in any thread."""
        with self._lock:
            is_first, self._latest = self._latest is None, words
        if is_first:
            # A tool that comes back late may find the loop closed.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._told)

    def end(self) -> None:
        """Tell no more of this call."""
        self._has_ended = True

    def _told(self) -> None:
        with self._lock:
            words, self._latest = self._latest, None
        if words is not None and not self._has_ended:
            self._on_progress(words)
