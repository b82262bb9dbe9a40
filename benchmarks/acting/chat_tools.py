"""Tools of the benchmarks: one that takes a millisecond."""

import time

from accounts.models import User
from tools.define import tool

SECONDS = 0.001


@tool
def pause(user: User, reason: str = "") -> str:
    """Pause for a millisecond.

    Args:
        reason: Why.
    """
    time.sleep(SECONDS)
    return "Paused."
