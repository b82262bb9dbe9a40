"""Progress of commands: a bar on a terminal, occasional lines elsewhere."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from django.core.management.base import OutputWrapper
from tqdm import tqdm

LINE_SECONDS = 10.0
"""Seconds between two lines of a log."""


class Progress(Protocol):
    """An object that is told how many things are done."""

    def update(self, done: int, /) -> Any:
        """Report that `done` more things are done."""


class Lines:
    """Writes plain lines for a log, at most one per `LINE_SECONDS`."""

    def __init__(self, what: str, total: int, stream: OutputWrapper) -> None:
        self._what, self._total, self._stream = what, total, stream
        self._done = 0
        self._said_at = time.monotonic()

    def update(self, done: int, /) -> None:
        """Report that `done` more things are done."""
        self._done += done
        if time.monotonic() - self._said_at >= LINE_SECONDS:
            self._said_at = time.monotonic()
            self._stream.write(f"{self._done:,} of {self._total:,} {self._what}\n")


class Terminal:
    """A command's output without added line ends and colours, for a progress bar."""

    def __init__(self, stream: OutputWrapper) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        """Write the text unchanged to the output."""
        self._stream.write(text, style_func=str, ending="")


@contextmanager
def progress(what: str, total: int, stream: OutputWrapper) -> Iterator[Progress]:
    """Show on `stream` how many of `total` things are done, for a `with` block."""
    if not stream.isatty():
        yield Lines(what, total, stream)
        return
    # Another width than 0, which a terminal without a window may report and for which tqdm shows nothing.
    columns = shutil.get_terminal_size().columns - 1
    shown: Any = Terminal(stream)
    with tqdm(total=total, unit=f" {what}", file=shown, unit_scale=True, leave=False, ncols=columns) as bar:
        yield bar
