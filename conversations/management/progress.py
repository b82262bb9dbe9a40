"""How far a command is: a bar on a terminal, now and then a line elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from tqdm import tqdm

LINE_SECONDS = 10.0
"""Between two lines of a log."""


class Progress(Protocol):
    """Hears of what was done."""

    def update(self, done: int, /) -> Any:
        """So many more are done."""


class Lines:
    """Plain lines for a log, not more than one in `LINE_SECONDS`."""

    def __init__(self, what: str, total: int, stream: TextIO) -> None:
        self._what, self._total, self._stream = what, total, stream
        self._done = 0
        self._said_at = time.monotonic()

    def update(self, done: int, /) -> None:
        """So many more are done."""
        self._done += done
        if time.monotonic() - self._said_at >= LINE_SECONDS:
            self._said_at = time.monotonic()
            self._stream.write(f"{self._done:,} of {self._total:,} {self._what}\n")


@contextmanager
def progress(what: str, total: int, stream: Any) -> Iterator[Progress]:
    """Shows on `stream` how many of `total` things are done, for a `with` block."""
    if not stream.isatty():
        yield Lines(what, total, stream)
        return
    with tqdm(total=total, unit=f" {what}", file=stream, unit_scale=True, leave=False) as bar:
        yield bar
