"""Saving the end of a reply while the database may be away."""

import asyncio
import logging
from collections.abc import Callable

from chatbot.core.threads import DATABASE_AWAY, DatabaseThreads
from conversations.replies import leases
from conversations.replies.leases import Outcome
from conversations.replies.workers import Worker
from conversations.usage import limits

logger = logging.getLogger(__name__)

SECONDS = 600.0
"""Seconds that an ended reply waits in memory for a database that is away."""

INTERVAL = 0.2
"""Seconds between two attempts: less than a follower's interval, so that none takes the reply over before."""


class Saver:
    """Saves the ends of one engine's replies, in its threads."""

    def __init__(self, threads: DatabaseThreads) -> None:
        self._database = threads.run

    async def save(self, worker: Worker, outcome: Outcome) -> bool:
        """Save the outcome; one that cannot be saved is saved as a failure.

        Returns False when the reply is another worker's, deleted, or cannot be saved at all.
        """
        try:
            return await self._save(worker, outcome)
        except Exception as error:
            logger.exception("Reply %s cannot be saved as it is.", worker.reply.message_id)
            failed = worker.failed(error)
        try:
            return await self._save(worker, failed)
        except Exception:
            logger.exception("Reply %s cannot be saved; it will be made again.", worker.reply.message_id)
            return False

    async def count(self, worker: Worker) -> None:
        """Count the tokens of a reply that was deleted while it was made; one that was taken over is counted there."""
        try:
            await self._database(limits.count_tokens, worker.user_id, worker.tokens(), unless=worker.reply.message_id)
        except Exception:
            logger.exception("The tokens of reply %s cannot be counted.", worker.reply.message_id)

    async def once_back[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the function in a thread, repeatedly while the database is away."""
        deadline = asyncio.get_running_loop().time() + SECONDS
        while True:
            try:
                return await self._database(function, *args, **kwargs)
            except DATABASE_AWAY as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                logger.warning("A reply waits for the database: %s", error)
                await asyncio.sleep(INTERVAL)

    async def _save(self, worker: Worker, outcome: Outcome) -> bool:
        key = worker.reply.message_id
        saved = await self.once_back(leases.finish, key, outcome, worker=worker.name, user_id=worker.user_id)
        if saved:
            worker.count(outcome)
        return saved
