"""Threads of synchronous tools: few, and none of them can keep the process from ending or calls from being refused.

Nobody can end a thread. A function that does not return keeps its thread, and what waits for it goes on without: its
result no longer counts.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from enum import Enum, auto
from typing import Any

from django.conf import settings

from chatbot.core.process import Part

logger = logging.getLogger(__name__)

WAITING_PER_THREAD = 4
"""Calls that may wait for a thread, for each thread that there is."""
SETTLE_SECONDS = 10.0
"""Seconds that a caller waits for a result that is being stored."""


class NoThread(Exception):
    """No thread is free for a tool, and none will be soon."""


class Unsettled(TimeoutError):
    """A function is storing its result, and that takes too long: nobody knows whether it will succeed."""


class Interrupted(asyncio.CancelledError):
    """The caller of a function was cancelled."""

    def __init__(self, *, has_begun: bool, is_dropped: bool, result: Any = None) -> None:
        super().__init__()
        self.has_begun = has_begun
        """Whether the function has begun to run."""
        self.is_dropped = is_dropped
        """Whether its result does not count."""
        self.result = result
        """What it has returned; None if that is dropped, or not there yet."""


class State(Enum):
    """What has become of a function that is to run in a thread."""

    WAITING = auto()
    RUNNING = auto()
    KEPT = auto()
    """It has decided that its result counts."""
    DROPPED = auto()
    """Whoever waited has decided that its result does not count."""


class Work[T]:
    """A function that runs in a thread, and the decision whether its result counts."""

    def __init__(self, name: str, function: Callable[["Work[T]"], T], limit: float) -> None:
        self.name, self.limit = name, limit
        self.state = State.WAITING
        self.began_at = 0.0
        self.left = Future[None]()
        """Done when the work no longer waits for a thread."""
        self.done = Future[T]()
        self._function, self._context = function, copy_context()
        self._lock = threading.Lock()
        for future in (self.left, self.done):
            # Otherwise an awaiting task that is cancelled would cancel it.
            future.set_running_or_notify_cancel()

    def keep(self) -> bool:
        """Whether the result counts, decided for good by the function itself; False if nobody waits any more."""
        return self._move(State.RUNNING, State.KEPT)

    def drop(self) -> bool:
        """Decide that the result of a function that has begun does not count; False if it counts already."""
        return self._move(State.RUNNING, State.DROPPED)

    def withdraw(self) -> bool:
        """Decide that a function that still waits for a thread does not run; False if it has begun."""
        if withdrawn := self._move(State.WAITING, State.DROPPED):
            self.left.set_result(None)
        return withdrawn

    def is_hung(self) -> bool:
        """Whether it runs longer than it may."""
        return bool(self.began_at) and time.monotonic() - self.began_at >= self.limit

    def seconds_left(self) -> float:
        """Seconds for which a function that has begun may still run; at least 0."""
        return max(0.0, self.began_at + self.limit - time.monotonic())

    def run(self) -> None:
        """Run the function, in the running thread, unless nobody waits for it any more."""
        with self._lock:
            if self.state is not State.WAITING:
                return
            self.state, self.began_at = State.RUNNING, time.monotonic()
        self.left.set_result(None)
        try:
            result = self._context.run(self._function, self)
        except BaseException as error:  # noqa: BLE001 (whoever waits is told)
            self.done.set_exception(error)
        else:
            self.done.set_result(result)

    def _move(self, before: State, after: State) -> bool:
        with self._lock:
            if self.state is not before:
                return False
            self.state = after
            return True


class ToolThreads:
    """The threads in which a process runs tools, each made when it is needed."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._running = set[Work[Any]]()
        self._waiting = deque[Work[Any]]()
        self._lock = threading.Lock()

    def counts(self) -> dict[str, int]:
        """Number of threads that work, of those that are hung, and of calls that wait. Safe in any thread."""
        with self._lock:
            return {"busy": len(self._running), "hung": self._hung(), "waiting": len(self._waiting)}

    async def run[T](self, name: str, function: Callable[[Work[T]], T], limit: float) -> T:
        """What the function returns, run in a thread once one is free, for at most `limit` seconds.

        Raises `NoThread` where none becomes free in that time, `TimeoutError` for a function that has not returned and
        whose result is dropped, and `Unsettled` for one whose result counts and is not there yet. A cancelled caller
        gets `Interrupted`.
        """
        work = Work(name, function, limit)
        self._submit(work)
        left, done = asyncio.wrap_future(work.left), asyncio.wrap_future(work.done)
        try:
            await asyncio.wait({left}, timeout=limit)
            if work.withdraw() or work.state is State.DROPPED:
                raise NoThread
            await asyncio.wait({done}, timeout=work.seconds_left())
            return await self._late(work, done) if not done.done() else done.result()
        except asyncio.CancelledError:
            raise await self._interrupted(work, done) from None
        finally:
            left.cancel()
            done.cancel()
            self._forget(work)

    async def _late[T](self, work: Work[T], done: "asyncio.Future[T]") -> T:
        """What a function returns whose time is over, if it is storing that. Raises as `run` does."""
        if work.drop():
            self._tell(work)
            raise TimeoutError
        await asyncio.wait({done}, timeout=SETTLE_SECONDS)
        if not done.done():
            self._tell(work)
            raise Unsettled
        return done.result()

    async def _interrupted[T](self, work: Work[T], done: "asyncio.Future[T]") -> "Interrupted":
        """What a cancelled caller gets, after the result is there if it is being stored."""
        if work.withdraw():
            return Interrupted(has_begun=False, is_dropped=True)
        if work.drop():
            # Nobody waits for the function any more, but staff learn of a thread that it keeps.
            asyncio.get_running_loop().call_later(work.seconds_left(), self._tell, work)
            return Interrupted(has_begun=True, is_dropped=True)
        await asyncio.wait({done}, timeout=SETTLE_SECONDS)
        return Interrupted(has_begun=True, is_dropped=False, result=done.result() if done.done() else None)

    def _tell(self, work: "Work[Any]") -> None:
        """Log that a function keeps its thread, and refuse the calls that wait in vain."""
        with self._lock:
            if work not in self._running:
                return
            refused = list(self._waiting) if self._hung() >= self.size else []
        logger.warning("The tool %s has not returned after %g seconds, and keeps its thread.", work.name, work.limit)
        for waiting in refused:
            waiting.withdraw()

    def _submit(self, work: "Work[Any]") -> None:
        with self._lock:
            if self._hung() >= self.size or len(self._waiting) >= self.size * WAITING_PER_THREAD:
                raise NoThread
            if len(self._running) >= self.size:
                self._waiting.append(work)
                return
            self._running.add(work)
        try:
            threading.Thread(target=self._work, args=(work,), name="tool", daemon=True).start()
        except RuntimeError as error:
            # The system has no further thread.
            with self._lock:
                self._running.discard(work)
            raise NoThread from error

    def _forget(self, work: "Work[Any]") -> None:
        """Let a function that is not to run any more take nobody's place."""
        with self._lock:
            if work in self._waiting:
                self._waiting.remove(work)

    def _hung(self) -> int:
        return sum(work.is_hung() for work in self._running)

    def _work(self, first: "Work[Any]") -> None:
        """Run one function after the other, as long as any waits."""
        work: Work[Any] | None = first
        while work:
            work.run()
            work = self._next(work)

    def _next(self, ended: "Work[Any]") -> "Work[Any] | None":
        with self._lock:
            self._running.discard(ended)
            if not self._waiting:
                return None
            work = self._waiting.popleft()
            self._running.add(work)
            return work


threads = Part(lambda: ToolThreads(settings.CHAT_TOOL_THREADS))
