"""Waiting for a server process that starts."""

import time
import urllib.error
import urllib.request
from typing import Protocol

ANSWER_SECONDS = 30.0


class Process(Protocol):
    """A process that may end."""

    returncode: int | None
    """Its exit code, once `poll` has seen its end."""

    def poll(self) -> int | None:
        """The exit code; None while it runs."""


def wait_for_answer(url: str, process: Process, *, seconds: float, path: str = "/healthz") -> None:
    """Return once the process serves pages at this address: once `path` is there.

    Raises `RuntimeError` when the process has ended, `TimeoutError` when it does not answer in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(f"{url}{path}", timeout=ANSWER_SECONDS) as answer:
                answer.read()
            return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.05)
    raise TimeoutError(f"the server did not answer within {seconds:g} s")
