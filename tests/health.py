"""Waiting for a server process that starts."""

import subprocess
import time
import urllib.error
import urllib.request

ANSWER_SECONDS = 10.0


def wait_for_answer(url: str, process: subprocess.Popen[bytes], *, seconds: float) -> None:
    """Return once the process serves pages at this address.

    Raises `RuntimeError` when the process has ended, `TimeoutError` when it does not answer in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=ANSWER_SECONDS) as answer:
                answer.read()
            return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.05)
    raise TimeoutError(f"the server did not answer within {seconds:g} s")
