"""How far a command is: a bar on a terminal, now and then a line elsewhere."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from django.core.management.base import OutputWrapper
from tqdm import tqdm

LINE_SECONDS = 10.0
"""Between two lines of a log."""


class Progress(Protocol):
    """Hears of what was done."""

    def update(self, done: int, /) -> Any:
        """So many more are done."""


class Lines:
    """Plain lines for a log, not more than one in `LINE_SECONDS`."""

    def __init__(self, what: str, total: int, stream: OutputWrapper) -> None:
        self._what, self._total, self._stream = what, total, stream
        self._done = 0
        self._said_at = time.monotonic()

    def update(self, done: int, /) -> None:
        """So many more are done."""
        self._done += done
        if time.monotonic() - self._said_at >= LINE_SECONDS:
            self._said_at = time.monotonic()
            self._stream.write(f"{self._done:,} of {self._total:,} {self._what}\n")


class Terminal:
    """A command's output to which a bar is written as it is: the command's own ends lines and colours them."""

    def __init__(self, stream: OutputWrapper) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        """Pass the text on."""
        self._stream.write(text, style_func=str, ending="")


@contextmanager
def progress(what: str, total: int, stream: OutputWrapper) -> Iterator[Progress]:
    """Shows on `stream` how many of `total` things are done, for a `with` block."""
    if not stream.isatty():
        yield Lines(what, total, stream)
        return
    # Another width than 0, which a terminal without a window may say: tqdm would show nothing.
    columns = shutil.get_terminal_size().columns - 1
    shown: Any = Terminal(stream)
    with tqdm(total=total, unit=f" {what}", file=shown, unit_scale=True, leave=False, ncols=columns) as bar:
        yield bar
