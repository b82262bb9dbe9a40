"""File locks that the kernel releases when their process ends, however it ends."""

import errno
import fcntl
import os
import time
from pathlib import Path

_PAUSE = 0.01


class EmbeddedServiceError(Exception):
    """An embedded server could not be started; the text says what happened and what to do."""


def open_lock(path: Path) -> int:
    """A file descriptor to lock; programs that the process starts do not inherit it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def try_lock(lock: int, *, exclusive: bool) -> bool:
    """Take the lock unless another process holds it; returns whether it was taken."""
    try:
        fcntl.flock(lock, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            return False
        raise
    return True


def wait_for_lock(lock: int, *, exclusive: bool, seconds: float) -> bool:
    """Take the lock within `seconds`; returns whether it was taken."""
    deadline = time.monotonic() + seconds
    while not try_lock(lock, exclusive=exclusive):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def unlock(lock: int) -> None:
    """Release the lock, also when a fork of this process holds a copy of the descriptor."""
    fcntl.flock(lock, fcntl.LOCK_UN)


def is_held(lock: int) -> bool:
    """Whether another process holds the lock exclusively; takes about two microseconds."""
    if try_lock(lock, exclusive=False):
        unlock(lock)
        return False
    return True
