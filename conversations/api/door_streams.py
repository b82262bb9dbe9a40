"""Streams of the door: the status waits for the first event, comments fill silence, errors are events."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

from django.http.response import HttpResponseBase

from accounts.callers import Caller
from chatbot.web import problems
from chatbot.web.problems import Problem
from conversations.replies import dispatch, streams

FIRST_SECONDS = 10.0
"""Seconds that the status waits for the first event, so that an early failure gets its own status.

Some proxies and clients wait no longer for a status.
"""

COMMENT_SECONDS = 15.0
"""Seconds of silence after which a comment is sent, and after which the caller's token is checked again.

Proxies end connections that are silent for a minute.
"""

AHEAD_BYTES = 1_000_000
"""Bytes that are buffered for a client that does not read."""


class Ahead:
    """Frames that a task reads ahead, so that a time-out while waiting does not cancel their source."""

    def __init__(self, frames: AsyncGenerator[bytes]) -> None:
        self._frames = frames
        self._ready: list[bytes] = []
        self._size = 0
        self._came = asyncio.Event()
        self._taken = asyncio.Event()
        self._failure: Exception | None = None
        self._is_over = False
        self._task = asyncio.create_task(self._read(), name="completion")
        dispatch.engine().wait_for(self._task)

    @property
    def is_over(self) -> bool:
        """Whether all frames and a failure, if any, were taken."""
        return self._is_over and not self._ready and not self._failure

    async def next(self, seconds: float) -> bytes:
        """The frames that have come, or the next one within `seconds`, else empty bytes.

        Raises what the source raised, once the frames before are taken.
        """
        if not self._ready and not self._is_over:
            self._came.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._came.wait(), seconds)
        if self._ready:
            taken = b"".join(self._ready)
            self._ready.clear()
            self._size = 0
            self._taken.set()
            return taken
        if failure := self._failure:
            self._failure = None
            raise failure
        return b""

    def fail(self, problem: Problem) -> None:
        """End the frames with this problem as their failure."""
        if not self._is_over:
            self._failure = problem
            self._task.cancel()

    def cancel(self) -> None:
        """End the frames, because no more are wanted."""
        self._task.cancel()

    async def close(self) -> None:
        """End the frames, and wait until their source has ended."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _read(self) -> None:
        try:
            async with aclosing(self._frames) as frames:
                async for frame in frames:
                    self._ready.append(frame)
                    self._size += len(frame)
                    self._came.set()
                    if self._size > AHEAD_BYTES:
                        self._taken.clear()
                        await self._taken.wait()
        except Exception as error:  # noqa: BLE001 (told to the client)
            self._failure = self._failure or error
        finally:
            self._is_over = True
            self._came.set()


async def answered(
    caller: Caller,
    frames: AsyncGenerator[bytes],
    failed: Callable[[Problem], bytes],
    *,
    first_seconds: float = FIRST_SECONDS,
) -> HttpResponseBase:
    """The frames, none of them empty, as an event stream; a failure before the first one as a response of its own.

    The status waits for the first frame, at most `first_seconds`. `failed` makes the last frame of a later failure.
    """
    ahead = Ahead(frames)
    try:
        first = await ahead.next(first_seconds)
    except Exception as error:  # noqa: BLE001 (each becomes an answer)
        await ahead.close()
        return problems.answer(problems.as_problem(error), door=True)
    except BaseException:
        await ahead.close()
        raise
    return streams.sent(caller.user.pk, awake(caller, ahead, first, failed), close=ahead.cancel)


async def awake(
    caller: Caller,
    ahead: Ahead,
    first: bytes,
    failed: Callable[[Problem], bytes],
    *,
    seconds: float = COMMENT_SECONDS,
) -> AsyncGenerator[bytes]:
    """`first`, then the further frames; comments during silence, and an error where the frames do not end normally."""
    engine = dispatch.engine()
    loop = asyncio.get_running_loop()
    ending = asyncio.create_task(engine.closed())
    ending.add_done_callback(lambda task: None if task.cancelled() else ahead.fail(Problem("interrupted")))
    looked, interval = loop.time(), min(seconds, streams.SESSION_INTERVAL)
    try:
        yield first or streams.KEEP_ALIVE
        while not ahead.is_over:
            # The caller's token is checked in time even if frames come: a stream outlives its token by seconds.
            came = await ahead.next(max(0.0, looked + interval - loop.time()))
            if loop.time() - looked >= interval:
                looked = loop.time()
                if not await streams.may_stay(engine, caller.is_welcome):
                    raise Problem("invalid_token")  # noqa: TRY301 (told like any other failure)
            if came or not ahead.is_over:
                yield came or streams.KEEP_ALIVE
    except Exception as error:  # noqa: BLE001 (the status is sent: the client is told in the stream)
        yield failed(problems.as_problem(error))
    finally:
        ending.cancel()
        await ahead.close()
