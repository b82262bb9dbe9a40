"""Wait for a server process that is starting."""

import time
import urllib.error
import urllib.request
from typing import Protocol

ANSWER_SECONDS = 30.0


class Process(Protocol):
    """A process whose end can be polled."""

    returncode: int | None
    """The exit code, once `poll` has seen the process's end."""

    def poll(self) -> int | None:
        """The exit code; None while it runs."""


def wait_for_answer(url: str, process: Process, *, seconds: float, path: str = "/healthz") -> None:
    """Return once the process answers with success at `path` below this address.

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
