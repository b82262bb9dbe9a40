"""Asynchronous tools: each runs in the event loop, and is cancelled when its time is over."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections

from chatbot.core.process import Part
from chatbot.core.threads import DatabaseThreads
from tools.ended import Ended, Stopped
from tools.failures import failed
from tools.job import Job
from tools.results import Result
from tools.sync_calls import stopped, timed_out

logger = logging.getLogger(__name__)

THREADS = 2
END_SECONDS = 5.0
"""Seconds that a cancelled tool has for its end, and that its caller waits for a result that is being stored."""


class Broken(Exception):
    """A tool raised what would end the process: the cause says what."""


database = Part(lambda: DatabaseThreads(THREADS, "tools"))
running = Part(set[asyncio.Task[Any]])
"""The tasks of asynchronous tools, also of those that do not end although they were cancelled."""


async def in_loop(job: Job) -> Ended:
    """How the call of an asynchronous tool ends. Raises `Stopped` when the running task is cancelled."""
    try:
        person = await database().run(job.person)
    except asyncio.CancelledError:
        raise Stopped(stopped(may_have_happened=False)) from None
    except Exception as error:  # The person may not, or the database is away.
        return failed(job.tool, error, may_have_happened=False)
    happens = not job.tool.read_only
    task = _begun(_called(job, job.keywords(person)))
    try:
        await asyncio.wait({task}, timeout=settings.CHAT_TOOL_SECONDS)
        if not task.done():
            await _end(task, job.tool.name)
            return timed_out(may_have_happened=happens)
    except asyncio.CancelledError:
        await _end(task, job.tool.name)
        raise Stopped(stopped(may_have_happened=happens)) from None
    return await _kept(job, task, happens=happens)


def _begun(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    task = asyncio.create_task(coroutine, name="tool")
    tasks = running()
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


async def _called(job: Job, keywords: dict[str, Any]) -> Any:
    """What the tool returns; what would end the event loop is an ordinary exception."""
    try:
        return await job.tool.function(**keywords)
    except (KeyboardInterrupt, SystemExit) as error:
        raise Broken from error


async def _end(task: asyncio.Task[Any], name: str) -> None:
    """Cancel the tool, and wait for its end, but not for ever."""
    task.cancel()
    await asyncio.wait({task}, timeout=END_SECONDS)
    task.add_done_callback(_forget)
    if not task.done():
        logger.warning("The tool %s was cancelled, and does not end.", name)
    await _give_back()


def _forget(task: asyncio.Task[Any]) -> None:
    """Look at the exception of a task that nobody awaits, so that Python does not report it."""
    if not task.cancelled():
        task.exception()


async def _kept(job: Job, task: asyncio.Task[Any], *, happens: bool) -> Ended:
    """How a call ends whose tool has ended, with its result stored."""
    if task.cancelled() or task.exception():
        error = Broken() if task.cancelled() else task.exception() or Broken()
        await _give_back()
        return failed(job.tool, error, may_have_happened=happens)
    storing = asyncio.ensure_future(database().run(_stored, job, task.result(), happens=happens))
    storing.add_done_callback(_forget)
    try:
        await _give_back()
        return await asyncio.shield(storing)
    except asyncio.CancelledError:
        await asyncio.wait({storing}, timeout=END_SECONDS)
        has_ended = storing.done() and not storing.exception()
        raise Stopped(storing.result() if has_ended else stopped(may_have_happened=True)) from None
    except Exception as error:  # The process is ending, and its threads have closed.
        return failed(job.tool, error, may_have_happened=happens)


def _stored(job: Job, value: Any, *, happens: bool) -> Ended:
    try:
        result = Result.of(value)
    except Exception as error:  # A value's own class takes part in this.
        return failed(job.tool, error, may_have_happened=happens)
    return job.stored_by_itself(result)


async def _give_back() -> None:
    """Give back the connection that asynchronous tools have used, once none of them runs.

    The asynchronous methods of Django's querysets run in one thread for all, where nobody else closes it.
    """
    if not running():
        await asyncio.wait({asyncio.ensure_future(sync_to_async(_close)())}, timeout=END_SECONDS)


def _close() -> None:
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
