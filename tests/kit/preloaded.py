"""Server processes for tests, forked from one with the packages loaded: loading takes longer than most tests.

Only packages that do not read the environment at import are preloaded: settings, the project's own modules and
uvicorn's options are read after the fork, as in a process of its own.
"""

import atexit
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]

PACKAGES = (
    "aiohttp",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "django.contrib.postgres.fields",
    "django.core.handlers.asgi",
    "django.db.backends.postgresql.base",
    "django.db.models",
    "django.forms",
    "django.template",
    "httptools",
    "jwt",
    "nh3",
    "openai",
    "openai._vendor.httpx_aiohttp",
    "prometheus_client",
    "psycopg_pool",
    "pydantic",
    "pygments.lexers",
    "pyromark",
    "regex",
    "uvicorn.lifespan.on",
    "uvicorn.main",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
)
MESSAGE_MAX = 1_000_000
"""Bytes of a request or a response, which consist mostly of an environment."""

LOOK_SECONDS = 0.01
"""Seconds between two checks whether a process has ended."""


class Forked:
    """A forked process, with the interface of `subprocess.Popen`."""

    def __init__(self, origin: "Origin", pid: int) -> None:
        self._origin = origin
        self.pid = pid
        self.returncode: int | None = None
        # Several threads may ask, and a process can be waited for only once.
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        with self._lock:
            if self.returncode is None:
                self.returncode = self._origin.ask({"ended": self.pid})
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process's end. Raises `subprocess.TimeoutExpired`."""
        until = float("inf") if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("uvicorn", timeout or 0.0)
            time.sleep(LOOK_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        """Send the process a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask the process to end, with SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once, with SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Origin:
    """The process from which all servers are forked; it ends with the process that has started it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "tests.kit.preloaded", str(theirs.fileno())]
            self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()])

    def start(self, arguments: Sequence[str], environment: dict[str, str], listener: int, errors: int) -> Forked:
        """Run uvicorn with these arguments and this environment; `{fd}` in an argument is the listening socket."""
        asked = {"start": list(arguments), "environment": environment}
        return Forked(self, self.ask(asked, [listener, errors]))

    def ask(self, asked: dict[str, Any], files: Sequence[int] = ()) -> Any:
        """Send a request with open files to the process; returns its response."""
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(asked).encode()], files)
            return json.loads(self._socket.recv(MESSAGE_MAX))

    def end(self) -> None:
        """End the process; servers forked from it continue."""
        self._socket.close()
        self._process.wait()


@cache
def origin() -> Origin:
    """The process to fork from, started once per test process."""
    started = Origin()
    atexit.register(started.end)
    return started


def serve(channel: socket.socket) -> None:
    """Fork on request, until the other end of the channel is closed."""
    for name in PACKAGES:
        importlib.import_module(name)
    if settings.configured or not {"chatbot", "conversations", "accounts", "tasks", "tools"}.isdisjoint(sys.modules):
        raise RuntimeError("what is the site's own was loaded before the fork")
    while True:
        message, files, *_ = socket.recv_fds(channel, MESSAGE_MAX, 2)
        if not message:
            return
        asked = json.loads(message)
        if "ended" in asked:
            pid, status = os.waitpid(asked["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        elif (answer := os.fork()) == 0:
            channel.close()
            become(asked["start"], asked["environment"], *files)
        for file in files:
            os.close(file)
        channel.send(json.dumps(answer).encode())


def become(arguments: list[str], environment: dict[str, str], listener: int, errors: int) -> None:
    """Turn this process into uvicorn; does not return."""
    from uvicorn.main import main

    os.dup2(errors, 2)
    os.close(errors)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["uvicorn", *(argument.format(fd=listener) for argument in arguments)]
    sys.exit(main())


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as mine:
        serve(mine)
