"""Counting when the dashboard is opened: a thread counts new replies, and the page waits for it only briefly."""

import logging
import threading
from datetime import datetime

from django.db import Error, connection

from chatbot.core.process import Part
from conversations.usage.counting import Counted, catch_up

WAIT_SECONDS, LONG_WAIT_SECONDS = 0.02, 0.5
"""Seconds that the page waits: usually, and when there are no or only old counts.

New replies take about a hundredth of a second per 1,000, plus some for the people of the day.
"""

COUNTING_SECONDS = 30.0
"""Seconds after which the thread starts no further batch of a long history."""

logger = logging.getLogger(__name__)
_counting = Part(threading.Lock)
"""Held by the one thread of the process that counts."""


def count_beside(now: datetime, *, seconds: float) -> bool:
    """Count in a thread what has ended up to `now`; returns whether that was done within `seconds`.

    The thread continues after that; one thread of a process counts at a time.
    """
    if connection.in_atomic_block:
        # Another thread would not see this transaction's changes, and would wait for its locks.
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
