"""Counting beside a look at the dashboard: a thread counts what is new, and the look waits for it a moment at most."""

import logging
import threading
from datetime import datetime

from django.db import Error, connection

from chatbot.core.process import Part
from conversations.usage.counting import Counted, catch_up

WAIT_SECONDS, LONG_WAIT_SECONDS = 0.02, 0.5
"""How long a look waits, and how long when nothing was counted yet or not for a while. What is new since the last one
takes about a hundredth of a second for each 1,000 replies, and some for the people of the day."""

COUNTING_SECONDS = 30.0
"""How long the thread goes on with a further batch of a long history."""

logger = logging.getLogger(__name__)
_counting = Part(threading.Lock)
"""Held by the one thread of the process that counts."""


def count_beside(now: datetime, *, seconds: float) -> bool:
    """Have what has ended up to `now` counted; whether that was done within so many seconds.

    What is not, is counted on after the answer, by one thread of a process at a time.
    """
    if connection.in_atomic_block:
        # A thread would not see what this transaction has done, and would wait for what it has locked.
        return catch_up(seconds=seconds, now=now) is Counted.ALL
    counting = _counting()
    if not counting.acquire(blocking=False):
        return False
    outcome = list[Counted]()
    thread = threading.Thread(target=_count, args=(now, outcome, counting), name="usage", daemon=True)
    thread.start()
    thread.join(seconds)
    return outcome == [Counted.ALL]


def _count(now: datetime, outcome: list[Counted], counting: threading.Lock) -> None:
    try:
        outcome.append(catch_up(seconds=COUNTING_SECONDS, now=now))
    except Error as error:
        logger.warning("What was used is not counted: %s", type(error).__name__)
    finally:
        connection.close()
        counting.release()
