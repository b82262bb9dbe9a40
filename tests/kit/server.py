"""The chat as in production: a process of uvicorn, on the database of the tests."""

import os
import signal
import socket
import subprocess
import weakref
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import connection
from django.test import Client

from accounts.models import User
from tests.kit.health import wait_for_answer
from tests.kit.ports import Port
from tests.kit.preloaded import Forked, origin

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 90.0
Started = subprocess.Popen[bytes] | Forked


class ChatServer:
    """A server process: `with ChatServer(OPENAI_BASE_URL=...) as server:`; `server.url` is its address.

    Keyword arguments are environment variables of the site. Its log goes to the file `log`, or to this process's
    standard error.
    """

    options: tuple[str, ...] = ()
    """Further command-line options of uvicorn."""

    send_buffer = 0
    """Bytes that the system buffers for a client that does not read; 0 for the system's default of megabytes."""

    def __init__(self, *, log: Path | None = None, **environment: str) -> None:
        self.environment = environment
        self.log = log
        self.url = ""
        self._port: Port | None = None
        self._process: Started | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def started(self) -> bool:
        """Whether the server was ever started."""
        return self._process is not None

    @property
    def is_up(self) -> bool:
        """Whether the server's process is running."""
        return self.process.poll() is None

    @property
    def pid(self) -> int:
        """Id of the server's process."""
        return self.process.pid

    @property
    def process(self) -> Started:
        """The server's process. Raises `RuntimeError` before the start."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process

    def start(self) -> None:
        """Start the server and wait until it answers; a restarted server keeps its address."""
        port = self._kept_port()
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self.send_buffer:
                # The listener's connections inherit this size.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.send_buffer)
            listener.bind(("127.0.0.1", port))
            listener.listen(512)
            self.url = f"http://127.0.0.1:{port}"
            # The process inherits the listening socket, so that no other program can take the port meanwhile.
            arguments = ["chatbot.asgi:application", "--fd", "{fd}", "--lifespan", "on", "--log-level", "warning"]
            arguments += ["--timeout-graceful-shutdown", "15", *self.options]
            with self.log.open("ab") if self.log else nullcontext() as log:
                errors = log.fileno() if log else 2
                self._process = origin().start(arguments, self._environment(), listener.fileno(), errors)
        self._wait()

    def stop(self, signal_number: signal.Signals = signal.SIGTERM) -> None:
        """End the server with a signal, and wait for its end."""
        self.process.send_signal(signal_number)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def _kept_port(self, host: str = "127.0.0.1") -> int:
        """The server's port, reserved as long as this object exists, also between an end and the next start."""
        if self._port is None:
            self._port = Port(host)
            weakref.finalize(self, self._port.close)
        return self._port.number

    def _environment(self) -> dict[str, str]:
        database = connection.settings_dict["NAME"]
        settings = {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "TEST_SERVER": "true",
            "TEST_DATABASE_NAME": database,
            "CHAT_SHUTDOWN_GRACE": "1",
        }
        return os.environ | settings | self.environment

    def _wait(self) -> None:
        try:
            wait_for_answer(self.url, self.process, seconds=START_SECONDS)
        except TimeoutError:
            self.stop()
            raise


def session_cookie(user: User, server: ChatServer) -> Any:
    """The session cookie of a signed-in person, as a browser has it."""
    client = Client()
    client.force_login(user)
    assert client.session[SESSION_KEY] == str(user.pk)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    return {"name": cookie.key, "value": cookie.value, "url": server.url}
