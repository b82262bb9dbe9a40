"""The reply engine: claims replies, runs each in a task, saves checkpoints, and serves any number of viewers.

A reply that this process makes is followed in memory; replies of other processes are followed in the database, all of
them in one statement per tick. Losing every viewer changes nothing for a running reply.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from chatbot.core.threads import DATABASE_AWAY, DatabaseThreads
from chatbot.telemetry import origin
from conversations.errors.replies import ServerBusy
from conversations.llm import model_choices
from conversations.llm import service as llm
from conversations.models.reasoning import NOTHING, Reasoning
from conversations.replies import context, leases, offers, rounds
from conversations.replies.acting import Acting
from conversations.replies.affinity import Affinity
from conversations.replies.context import Window
from conversations.replies.leases import Claim, Draft
from conversations.replies.live import LiveReply
from conversations.replies.offers import NO_OFFER, Offer
from conversations.replies.rounds import Round
from conversations.replies.saving import Saver
from conversations.replies.stores import ReplyStore, new_worker
from conversations.replies.workers import Worker

logger = logging.getLogger(__name__)

CHECKPOINT_INTERVAL = 1.0
"""Seconds between two checkpoints of all drafts; a stop request from another process may wait as long."""

FOLLOW_INTERVAL = 0.25
"""Seconds between two reads of the replies that other processes make."""

KEEP_ALIVE = 15.0
"""Seconds without a change after which a viewer is woken, so that proxies keep the connection."""

SHUTDOWN_SECONDS = 5.0
"""Seconds that the end of the process waits for finished replies to be saved, and for running claims."""

DATABASE_THREADS = 4

EAGER_REPLIES = 20
"""Number of running replies from which a process starts a further one only when its stream is requested."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was read for a reply that was claimed."""

    window: Window | None = None
    """The window for the model; None if it was not obtained, or depends on the reply's rounds."""
    offer: Offer = NO_OFFER
    rounds: Sequence[Round] = ()


class ReplyEngine:
    """Makes and follows the replies of one process."""

    def __init__(self) -> None:
        self._replies: dict[UUID, LiveReply] = {}
        self._workers: dict[UUID, Worker] = {}
        self._again: set[UUID] = set()
        """Known replies that are to be joined again once they are forgotten."""
        self._loops: dict[str, asyncio.Task[None]] = {}
        self.viewers = 0
        """Number of viewers in this process, of all replies."""
        self._affinity = Affinity()
        self._draining = False
        self._closing = asyncio.Event()
        self._guests: set[asyncio.Task[Any]] = set()
        self._threads = DatabaseThreads(DATABASE_THREADS, "replies")
        self.database = self._threads.run
        self._saver = Saver(self._threads)
        self.once_back = self._saver.once_back

    @property
    def making(self) -> int:
        """Number of replies that this process makes."""
        return len(self._workers)

    def counts(self) -> dict[str, int]:
        """Numbers of replies being made, waiting for the database, and followed; and of their viewers."""
        workers = list(self._workers.values())
        others = [reply for key, reply in list(self._replies.items()) if key not in self._workers]
        ended = sum(worker.outcome is not None for worker in workers)
        joining = sum(reply.joined is not None and not reply.joined.done() for reply in others)
        return {
            "replies_running": len(workers) - ended,
            "replies_queued": ended + joining,
            "replies_followed": len(others) - joining,
            "reply_viewers": self.viewers,
        }

    def join(self, message_id: UUID) -> LiveReply:
        """The reply as this process knows it; made here if it has no worker, else followed.

        Returns at once: the reply's task `joined` ends when that is decided.
        """
        reply = self._replies.get(message_id)
        if reply is None:
            reply = self._replies[message_id] = LiveReply(message_id)
            reply.joined = asyncio.create_task(self._attach(reply), name=f"join {message_id}")
            reply.joined.add_done_callback(_note_failure)
        return reply

    def start(self, message_id: UUID) -> None:
        """Make the reply here if it has no worker, also one that this process is just about to let go of."""
        if message_id in self._replies:
            self._again.add(message_id)
        self.join(message_id)

    def expect(self, message_id: UUID) -> None:
        """Note that a turn was stored here; start its reply now if its stream will probably come here.

        Otherwise the process that gets the stream starts it.
        """
        # A busy process first answers the POSTs of other people.
        if len(self._workers) < EAGER_REPLIES and self._affinity.is_likely() and not self._draining:
            self.start(message_id)
        self._affinity.stored(message_id)

    async def watch(
        self, message_id: UUID, *, patience: Callable[[], float] = lambda: KEEP_ALIVE
    ) -> AsyncGenerator[LiveReply]:
        """Yield the reply at once, then whenever it has changed; ends after the reply.

        Without a change it is yielded after 15 seconds, or after `patience`, called each time, if that is less. The
        consumer sets the pace: changes while it is busy are one change. When this process shuts down, the iteration
        ends before the reply. Raises what the database raises when it cannot be read.
        """
        self._affinity.watched(message_id)
        while not self._closing.is_set() and (message_id in self._workers or not self._draining):
            reply = self.join(message_id)
            reply.viewers += 1
            self.viewers += 1
            try:
                if reply.joined:
                    await asyncio.shield(reply.joined)
                while not reply.lost:
                    seen, ended = reply.changes, reply.ended
                    yield reply
                    # The reply may have ended while the consumer was busy: yield it once more, as ended.
                    if ended:
                        return
                    await reply.change(seen, min(KEEP_ALIVE, patience()))
            finally:
                self.viewers -= 1
                reply.viewers -= 1

    def stop(self, message_id: UUID) -> None:
        """Stop a reply that this process makes; does nothing for others."""
        if worker := self._workers.get(message_id):
            worker.stop()

    def wait_for(self, task: asyncio.Task[Any]) -> None:
        """Let the end of the process also wait for this task, which makes an answer that is not stored."""
        self._guests.add(task)
        task.add_done_callback(self._guests.discard)

    async def closed(self) -> None:
        """Wait until this process gives up the replies that are still being made."""
        await self._closing.wait()

    async def drain(self, grace: float) -> None:
        """Claim no further replies, let running ones end for `grace` seconds, then shut down.

        Viewers of other processes' replies are disconnected at once, to reconnect to a process that stays.
        """
        self._draining = True
        # Running claims come first: viewers of a reply that this process has just claimed must not be disconnected.
        await self._claims()
        for key, reply in list(self._replies.items()):
            if key not in self._workers:
                self._forget(reply)
                reply.lose()
        if tasks := [worker.task for worker in self._workers.values() if worker.task] + list(self._guests):
            await asyncio.wait(tasks, timeout=grace)
        await self.shut_down()

    async def shut_down(self) -> None:
        """Claim no further replies, save the ended ones, hand back the others. A second call does nothing."""
        if self._closing.is_set():
            return
        self._closing.set()
        await self._claims()
        await asyncio.gather(*self._loops.values(), return_exceptions=True)
        workers = list(self._workers.values())
        for worker in workers:
            if worker.task and not worker.outcome:
                worker.task.cancel()
        if tasks := [worker.task for worker in workers if worker.task]:
            _, late = await asyncio.wait(tasks, timeout=SHUTDOWN_SECONDS)
            for task in late:
                task.cancel()
        drafts = [
            Draft(key, worker.name, worker.reply.text, worker.reply.reasoning) for key, worker in self._workers.items()
        ]
        try:
            await self.database(leases.hand_back, drafts)
        except Exception:
            logger.exception("%s replies are taken over only when their heartbeat has ended.", len(drafts))
        for reply in list(self._replies.values()):
            reply.lose()
        self._threads.close()

    # --- Claiming and following ---------------------------------------------------------------------------------------

    async def _claims(self) -> None:
        """Wait for running claims, so that replies won by them are ended or handed back, too.

        A claim that the database delays further is left: its reply is taken over when its heartbeat has expired.
        """
        if joining := [reply.joined for reply in self._replies.values() if reply.joined]:
            await asyncio.wait(joining, timeout=SHUTDOWN_SECONDS)

    async def _attach(self, reply: LiveReply) -> None:
        """Make the reply here if it has no worker, else follow it."""
        try:
            if not await self._claim(reply):
                await self._refresh([reply])
        except BaseException:
            self._forget(reply)
            raise
        if not reply.ended and reply.message_id not in self._workers:
            self._keep_running("follow", self._follow)

    async def _claim(self, reply: LiveReply) -> bool:
        """Become the reply's worker if it has none.

        Must not be cancelled, or the claimed reply would have no worker.
        """
        if self._draining or self._closing.is_set():
            return False
        name = new_worker()
        claim, prepared = await self.database(_claim, reply.message_id, worker=name)
        if claim is None:
            return False
        if claim.begun or prepared.rounds:
            reply.show(claim.begun or rounds.text_of(prepared.rounds), _reasoning(claim, prepared.rounds))
        else:
            reply.clear()
        self._replies[reply.message_id] = reply
        is_full = len(self._workers) >= settings.CHAT_REPLIES_PER_PROCESS
        # What has begun to act goes on: its person may just have approved what it is to do.
        refusal = ServerBusy() if is_full and not prepared.rounds else None
        model = model_choices.to_ask(claim.model)
        worker = Worker(
            reply,
            name=name,
            user_id=claim.message.user_id,
            model=model,
            options=offers.passed_on(claim.options),
            window=prepared.window,
            begun=claim.begun,
            acting=self._acting(reply, claim, prepared, name),
            refusal=refusal,
        )
        self._workers[reply.message_id] = worker
        worker.task = asyncio.create_task(self._make(worker, claim), name=f"reply {reply.message_id}")
        self._keep_running("checkpoint", self._checkpoint)
        return True

    def _acting(self, reply: LiveReply, claim: Claim, prepared: Prepared, name: str) -> Acting | None:
        """The tools of the reply; None without any."""
        if not prepared.offer.tools and not prepared.rounds:
            return None
        return Acting(
            ReplyStore(reply, name, claim.message.user_id, claim.message.conversation_id),
            offer=prepared.offer,
            done=prepared.rounds,
            is_continued=claim.is_continued,
            database=self.once_back,
            show=reply.show_steps,
        )

    async def _refresh(self, replies: list[LiveReply]) -> None:
        """Update the replies from the database, and take over those whose worker is gone."""
        progress = await self.database(leases.progress_of, [reply.message_id for reply in replies])
        without_worker: list[LiveReply] = []
        for reply in replies:
            seen = progress.get(reply.message_id)
            if seen:
                reply.show(seen.text, seen.reasoning, seen.steps)
            if seen is None or not seen.is_open:
                self._forget(reply)
                reply.end()
            elif not seen.has_worker:
                without_worker.append(reply)
        for reply in without_worker:
            reply.since = time.perf_counter()
            await self._claim(reply)

    def _forget(self, reply: LiveReply) -> None:
        if self._replies.get(reply.message_id) is reply:
            del self._replies[reply.message_id]
            if reply.message_id in self._again:
                self._again.discard(reply.message_id)
                if not self._draining and not self._closing.is_set():
                    asyncio.get_running_loop().call_soon(self.join, reply.message_id)

    def _keep_running(self, name: str, loop: Callable[[], Coroutine[None, None, None]]) -> None:
        """Start the named loop unless it is running; it ends by itself when it has nothing to do."""
        running = self._loops.get(name)
        if not self._closing.is_set() and (running is None or running.done()):
            # The loop works for all requests, not for the one that happened to start it.
            self._loops[name] = asyncio.create_task(loop(), name=name, context=Context())

    async def _pause(self, seconds: float) -> None:
        """Wait for `seconds`, but not beyond the end of the process."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    def _followed(self) -> list[LiveReply]:
        """Replies of other processes with viewers here; those without viewers are dropped."""
        others = [reply for key, reply in self._replies.items() if key not in self._workers]
        for reply in others:
            if not reply.viewers and reply.joined and reply.joined.done():
                self._forget(reply)
        return [reply for reply in others if reply.viewers and reply.joined and reply.joined.done()]

    async def _follow(self) -> None:
        while not self._closing.is_set() and (followed := self._followed()):
            try:
                await self._refresh(followed)
            except DATABASE_AWAY as error:
                logger.warning("Replies of other processes cannot be followed at the moment: %s", error)
                await self._pause(CHECKPOINT_INTERVAL)
            except Exception:
                logger.exception("Replies of other processes cannot be followed at the moment.")
            await self._pause(FOLLOW_INTERVAL)

    async def _checkpoint(self) -> None:
        while self._workers and not self._closing.is_set():
            await self._pause(CHECKPOINT_INTERVAL)
            workers = dict(self._workers)
            try:
                kept = await self.database(leases.checkpoint, [worker.draft() for worker in workers.values()])
            except Exception as error:
                if isinstance(error, DATABASE_AWAY):
                    logger.warning("Drafts cannot be saved at the moment: %s", error)
                else:
                    logger.exception("Drafts cannot be saved at the moment.")
                for worker in workers.values():
                    worker.forget_checkpoint()
                continue
            for key, worker in workers.items():
                if key in kept:
                    if kept[key]:
                        worker.stop()
                elif not worker.outcome and self._workers.get(key) is worker:
                    self._lose(worker)
                    await self._saver.count(worker)

    def _lose(self, worker: Worker) -> None:
        """Stop making a reply that another process has taken over, or that was deleted: its viewers follow it there."""
        logger.warning("Reply %s is no longer made here.", worker.reply.message_id)
        self._drop(worker)
        worker.reply.lose()
        if worker.task and worker.task is not asyncio.current_task():
            worker.task.cancel()

    def _drop(self, worker: Worker) -> None:
        if self._workers.get(worker.reply.message_id) is worker:
            del self._workers[worker.reply.message_id]
        self._forget(worker.reply)

    # --- Making -------------------------------------------------------------------------------------------------------

    async def _make(self, worker: Worker, claim: Claim) -> None:
        origin.begin(
            request_id=claim.request_id or origin.request_id(),
            conversation_id=str(claim.message.conversation_id),
            message_id=str(worker.reply.message_id),
            **origin.trace(),
        )
        try:
            outcome = await worker.run(self.once_back)
            if worker.is_waiting or (outcome and await self._saver.save(worker, outcome)):
                self._drop(worker)
                worker.reply.end()
            elif worker.is_lost and self._workers.get(worker.reply.message_id) is worker:
                self._lose(worker)
                await self._saver.count(worker)
        finally:
            # However the task ended, a reply without a task must not be kept by heartbeats.
            if self._workers.get(worker.reply.message_id) is worker and not self._closing.is_set():
                self._lose(worker)


def _note_failure(task: asyncio.Task[None]) -> None:
    """Log why a reply could not be joined, because there may be no viewer to be told."""
    if not task.cancelled() and (error := task.exception()):
        logger.warning("A reply could not be joined: %s", error)


def _claim(message_id: UUID, *, worker: str) -> tuple[Claim | None, Prepared]:
    """Claim the reply; returns the claim, None if not obtained, and what the worker needs."""
    if not (claim := leases.claim(message_id, worker=worker)):
        return None, Prepared()
    done = rounds.take_over(message_id, worker=worker) if claim.rounds else []
    offer = NO_OFFER
    # A program's reply has them only if the program asked for them, and then nobody is there to be asked.
    if offers.takes_site_tools(claim.options) and llm.takes_tools(model_choices.to_ask(claim.model)):
        try:
            offer = offers.offer_to(
                claim.message.user_id,
                off=claim.tools_off,
                allowed=claim.tools_allowed,
                asks_nobody=claim.options is not None,
            )
        except Exception:
            logger.exception("Reply %s is made without tools.", message_id)
    if done:
        return claim, Prepared(None, offer, done)
    # A failure here happens again in the worker, which can end a failed reply.
    with contextlib.suppress(Exception):
        window = context.window_for(claim.message, begun=claim.begun, offered=offer.options())
        return claim, Prepared(window, offer)
    return claim, Prepared(None, offer)


def _reasoning(claim: Claim, done: Sequence[Round]) -> Reasoning:
    """The reasoning that stays: that of a continued reply, or of the rounds that have ended."""
    if claim.begun or not claim.reasoning.text:
        return claim.reasoning
    text = rounds.reasoning_of(done)
    return Reasoning(text, claim.reasoning.seconds) if text else NOTHING
