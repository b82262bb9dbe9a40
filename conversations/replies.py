"""Making a reply: claim it, run it in a task of its own, checkpoint it, let any number of viewers follow it.

Each process has one `ReplyEngine` per event loop. A reply that this process makes is followed in memory; a reply that
another process makes is followed in the database, all of them in one statement per tick. Losing every viewer changes
nothing for a reply that is being made.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import InterfaceError, OperationalError, connection

from conversations import leases, llm
from conversations.leases import Draft, Outcome
from conversations.makers import LiveReply, Maker

logger = logging.getLogger(__name__)

CHECKPOINT_INTERVAL = 1.0
"""Seconds between two checkpoints of all drafts; also how long a stop request from another process may wait."""

FOLLOW_INTERVAL = 0.25
"""Seconds between two looks at the replies that other processes make."""

KEEP_ALIVE = 15.0
"""Seconds after which a viewer is woken though nothing came, so that proxies keep the connection."""

SAVE_ATTEMPTS = 60
"""How often the end of a reply is written before it is given up, about two minutes when the database is away."""

DATABASE_THREADS = 4
DATABASE_AWAY = (OperationalError, InterfaceError)


class ReplyEngine:
    """Makes and follows the replies of one process."""

    def __init__(self) -> None:
        self._replies: dict[UUID, LiveReply] = {}
        self._opening: dict[UUID, asyncio.Task[None]] = {}
        self._makers: dict[UUID, Maker] = {}
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._closing = False
        self._threads = ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix="replies")

    async def database[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function that uses the database, and give its connection back."""

        def run() -> T:
            try:
                return function(*args, **kwargs)
            finally:
                connection.close()

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    async def open(self, message_id: UUID) -> LiveReply:
        """The reply, being made or followed from now on if it has not ended; made here if nobody makes it."""
        reply = self._replies.get(message_id)
        if reply is None:
            reply = self._replies[message_id] = LiveReply(message_id)
            task = asyncio.create_task(self._attach(reply), name=f"open {message_id}")
            self._opening[message_id] = task
            task.add_done_callback(lambda _: self._opening.pop(message_id, None))
        if opening := self._opening.get(message_id):
            await asyncio.shield(opening)
        return reply

    async def watch(self, message_id: UUID) -> AsyncGenerator[LiveReply]:
        """Yield the reply at once, then whenever it has changed, at least every 15 seconds; ends after it has ended.

        The consumer sets the pace: changes that come while it is busy are one change. When this process shuts down,
        the iteration ends before the reply has.
        """
        while not self._closing:
            reply = await self.open(message_id)
            woken = asyncio.Event()
            reply.viewers.add(woken)
            try:
                while not reply.lost:
                    woken.clear()
                    ended = reply.ended
                    yield reply
                    # It may have ended while the consumer was busy: then it is yielded once more, as ended.
                    if ended:
                        return
                    if reply.ended:
                        continue
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(woken.wait(), KEEP_ALIVE)
            finally:
                reply.viewers.discard(woken)
                if not reply.viewers and message_id not in self._makers:
                    self._forget(reply)

    def stop(self, message_id: UUID) -> None:
        """End a reply that this process makes; does nothing for others."""
        if maker := self._makers.get(message_id):
            maker.stop()

    async def shut_down(self) -> None:
        """Claim nothing more, and hand back what is being made, drafts saved. A second call does nothing."""
        if self._closing:
            return
        self._closing = True
        makers = list(self._makers.values())
        tasks = [task for maker in makers if (task := maker.task)] + list(self._loops.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        drafts = [Draft(maker.reply.message_id, maker.worker, maker.reply.text) for maker in makers]
        if drafts:
            try:
                await self.database(leases.hand_back, drafts)
            except DATABASE_AWAY:
                logger.warning(
                    "The database is away; %s replies are taken over when their heartbeat ends.", len(drafts)
                )
        for reply in self._replies.values():
            reply.lost = True
            reply.wake()
        await llm.aclose()
        self._threads.shutdown(wait=False)

    # --- Claiming and following ---------------------------------------------------------------------------------------

    async def _attach(self, reply: LiveReply) -> None:
        """Make the reply here if nobody makes it, follow it if somebody does."""
        try:
            if not await self._claim(reply):
                await self._look([reply])
                if not reply.ended:
                    reply.followed = True
                    self._keep_running("follow", self._follow)
        except BaseException:
            self._forget(reply)
            raise

    async def _claim(self, reply: LiveReply) -> bool:
        if self._closing:
            return False
        worker = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(6)}"
        model = llm.default_model()
        if not await self.database(leases.claim, reply.message_id, worker=worker, model=model):
            return False
        if reply.text:
            reply.text = ""
            reply.restarts += 1
        maker = self._makers[reply.message_id] = Maker(reply, worker=worker, model=model)
        maker.task = asyncio.create_task(self._make(maker), name=f"reply {reply.message_id}")
        self._keep_running("checkpoint", self._checkpoint)
        return True

    async def _look(self, replies: list[LiveReply]) -> None:
        """Bring the replies to what the database has, and take over those whose maker is gone."""
        progress = await self.database(leases.look, [reply.message_id for reply in replies])
        for reply in replies:
            seen = progress.get(reply.message_id)
            if seen is None:
                reply.end()
                self._forget(reply)
                continue
            reply.show(seen.text)
            if not seen.is_open:
                reply.end()
                self._forget(reply)
            elif not seen.has_maker:
                await self._claim(reply)

    def _forget(self, reply: LiveReply) -> None:
        if self._replies.get(reply.message_id) is reply:
            del self._replies[reply.message_id]

    def _keep_running(self, name: str, loop: Callable[[], Coroutine[None, None, None]]) -> None:
        """Start the named loop if it is not running; it ends by itself when it has nothing to do."""
        running = self._loops.get(name)
        if not self._closing and (running is None or running.done()):
            self._loops[name] = asyncio.create_task(loop(), name=name)

    async def _follow(self) -> None:
        while followed := [reply for key, reply in self._replies.items() if reply.followed and key not in self._makers]:
            try:
                await self._look(followed)
            except DATABASE_AWAY as error:
                logger.warning("Replies of other processes cannot be followed now: %s", error)
            except Exception:
                logger.exception("Replies of other processes cannot be followed now.")
            await asyncio.sleep(FOLLOW_INTERVAL)

    async def _checkpoint(self) -> None:
        while self._makers:
            await asyncio.sleep(CHECKPOINT_INTERVAL)
            makers = {key: maker for key, maker in self._makers.items() if not maker.stopped}
            if not makers:
                continue
            try:
                kept = await self.database(leases.checkpoint, [maker.draft() for maker in makers.values()])
            except DATABASE_AWAY as error:
                logger.warning("Drafts cannot be saved now: %s", error)
                for maker in makers.values():
                    maker.forget_checkpoint()
                continue
            for key, maker in makers.items():
                if self._makers.get(key) is not maker:
                    continue
                if key not in kept:
                    self._lose(maker)
                elif kept[key]:
                    maker.stop()

    def _lose(self, maker: Maker) -> None:
        """Another process has taken the reply over, or it was deleted: viewers follow it there."""
        logger.warning("Reply %s is no longer made here.", maker.reply.message_id)
        self._makers.pop(maker.reply.message_id, None)
        self._forget(maker.reply)
        maker.reply.lost = True
        maker.reply.wake()
        if maker.task and maker.task is not asyncio.current_task():
            maker.task.cancel()

    # --- Making -------------------------------------------------------------------------------------------------------

    async def _make(self, maker: Maker) -> None:
        outcome = await maker.run(self.database)
        reply = maker.reply
        if await self._finish(maker, outcome):
            self._makers.pop(reply.message_id, None)
            self._forget(reply)
            reply.end()
        elif not reply.lost:
            self._lose(maker)

    async def _finish(self, maker: Maker, outcome: Outcome) -> bool:
        for attempt in range(SAVE_ATTEMPTS):
            try:
                return await self.database(leases.finish, maker.reply.message_id, outcome, worker=maker.worker)
            except DATABASE_AWAY as error:
                logger.warning("Reply %s cannot be saved now: %s", maker.reply.message_id, error)
                await asyncio.sleep(min(2.0, 0.1 * 2**attempt))
        return False


_engines: WeakKeyDictionary[asyncio.AbstractEventLoop, ReplyEngine] = WeakKeyDictionary()


def engine() -> ReplyEngine:
    """The engine of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _engines:
        _engines[loop] = ReplyEngine()
    return _engines[loop]


def watch(message_id: UUID) -> AsyncGenerator[LiveReply]:
    """See `ReplyEngine.watch`."""
    return engine().watch(message_id)


async def start(message_id: UUID) -> None:
    """Make the reply in this process, whether anybody watches or not."""
    await engine().open(message_id)


async def stop(message_id: UUID) -> None:
    """End the reply at once if this process makes it."""
    engine().stop(message_id)


async def shut_down() -> None:
    """Hand back what this process makes; called once, at its end."""
    await engine().shut_down()
