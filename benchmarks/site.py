"""The chat as in production, each part a process of its own: PostgreSQL, the scripted provider, the server."""

import fcntl
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg

from benchmarks import machine
from chatbot.embedded.postgres.cluster import SUPERUSER, Cluster
from tests.kit.health import wait_for_answer
from tests.kit.provider import ScriptedProvider

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "var" / "benchmark"
DATABASE = "chatbot"
APPLICATION = "benchmark"
SCHEME = "postgres://"
POSTGRES_OPTIONS = {
    # Counts statements. PostgreSQL's default for flushing to the disk is kept.
    "shared_preload_libraries": "pg_stat_statements",
    "log_min_messages": "panic",
}
START_SECONDS = 60.0
STOP_SECONDS = 30.0


class AlreadyRunning(Exception):
    """Another benchmark of this checkout is running."""


class Site:
    """PostgreSQL with an empty database, and the scripted provider, for a `with` block; `server()` adds the server.

    Within the block, this process has the server's environment, so that Django can be set up here on the same data.
    """

    provider_url: str

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._cluster = Cluster(FOLDER / "postgres", POSTGRES_OPTIONS)
        self._socket = ""

    def __enter__(self) -> Self:
        """Start both and create the database's tables. Raises `AlreadyRunning`, `EmbeddedServiceError`."""
        with ExitStack() as stack:
            self._lock(stack)
            stack.enter_context(machine.on_cores(machine.OTHER_CORES))
            self._start_postgres(stack)
            self._start_provider(stack)
            self._settle_environment()
            for command in (("migrate", "--verbosity", "0"), ("collectstatic", "--noinput", "--verbosity", "0")):
                subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, check=True)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop PostgreSQL and the provider."""
        self._stack.close()

    def server(self) -> "Server":
        """A server process that is not yet started."""
        return Server()

    def superuser(self) -> "psycopg.Connection[tuple[int, ...]]":
        """A connection with all permissions, outside the server's pool."""
        return psycopg.connect(
            host=self._socket, user=SUPERUSER, dbname=DATABASE, autocommit=True, application_name=APPLICATION
        )

    def postgres_cpu(self) -> float:
        """CPU seconds of all of PostgreSQL's processes."""
        return machine.family_cpu_seconds(self._postgres_pid)

    def provider_cpu(self) -> float:
        """CPU seconds of the provider's process."""
        return machine.cpu_seconds(self._provider.pid)

    def connections(self) -> int:
        """Number of database connections of the server."""
        with self.superuser() as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name <> %s"
                " AND backend_type = 'client backend'",
                [DATABASE, APPLICATION],
            ).fetchone()
        return row[0] if row else 0

    def statements(self) -> int:
        """Number of statements that PostgreSQL has run for the server, including BEGIN and COMMIT."""
        with self.superuser() as connection:
            row = connection.execute(
                "SELECT coalesce(sum(calls), 0)::int FROM pg_stat_statements"
                " JOIN pg_roles ON pg_roles.oid = userid WHERE rolname = %s",
                [DATABASE],
            ).fetchone()
        return row[0] if row else 0

    def _lock(self, stack: ExitStack) -> None:
        FOLDER.joinpath("postgres").mkdir(parents=True, exist_ok=True)
        file = stack.enter_context((FOLDER / "lock").open("w"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(AlreadyRunning.__doc__) from None

    def _start_postgres(self, stack: ExitStack) -> None:
        # The first start creates the data folder and writes a long log.
        with (FOLDER / "postgres.log").open("w") as log, redirect_stderr(log):
            self._socket = self._cluster.start()["host"]
        stack.callback(self._cluster.stop)
        self._postgres_pid = int((FOLDER / "postgres/data/postmaster.pid").read_text().split()[0])
        with psycopg.connect(host=self._socket, user=SUPERUSER, dbname="postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
            connection.execute(f"DROP ROLE IF EXISTS {DATABASE}")
            connection.execute(f"CREATE ROLE {DATABASE} LOGIN")
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER {DATABASE}")
        with self.superuser() as connection:
            connection.execute("CREATE EXTENSION pg_stat_statements")

    def _start_provider(self, stack: ExitStack) -> None:
        command = [sys.executable, "-m", "tests.kit.provider"]
        self._provider = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        stack.callback(_stop, self._provider)
        if self._provider.stdout:
            self.provider_url = stack.enter_context(self._provider.stdout).readline().strip()

    def _settle_environment(self) -> None:
        """Set the environment of production, without the developer's own variables."""
        for name in re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE):
            os.environ.pop(name, None)
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "chatbot.settings",
            "PYTHONUNBUFFERED": "1",
            "ENV_FILE": os.devnull,
            "DEBUG": "false",
            # The client uses plain HTTP on this machine.
            "HTTPS_ONLY": "false",
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "DATABASE_URL": f"{SCHEME}{DATABASE}@/{quote(self._socket)}/{DATABASE}",
            "OPENAI_BASE_URL": self.provider_url,
            "CHAT_MODELS": "scripted",
            # Distinguishes this process's connections from the server's.
            "PGAPPNAME": APPLICATION,
        }


class Server:
    """One uvicorn process with the options of the Dockerfile, on its own core, for a `with` block."""

    def __enter__(self) -> Self:
        """Start the server and wait until it answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        with machine.on_cores(machine.SERVER_CORES), (FOLDER / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *production_command("127.0.0.1", self.port)],
                cwd=ROOT,
                env={name: value for name, value in os.environ.items() if name != "PGAPPNAME"},
                stdout=log,
                stderr=log,
            )
        try:
            wait_for_answer(self.url, self._process, seconds=START_SECONDS)
        except BaseException as error:
            _stop(self._process)
            error.add_note((FOLDER / "server.log").read_text())
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the server and wait for its end."""
        _stop(self._process)

    @property
    def pid(self) -> int:
        """Id of the server's process."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Address of the site, without a slash."""
        return f"http://127.0.0.1:{self.port}"

    def cpu(self) -> float:
        """CPU seconds of the server so far."""
        return machine.cpu_seconds(self.pid)


def production_command(host: str, port: int) -> list[str]:
    """The command of the Dockerfile, `uvicorn` and its options, with another address."""
    found = re.search(r"^CMD (\[.*?\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        raise RuntimeError("the Dockerfile has no CMD")
    command = [str(word) for word in json.loads(found[1].replace("\\\n", ""))]
    for option, value in (("--host", host), ("--port", str(port))):
        command[command.index(option) + 1] = value
    return command


def _stop(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def asking(provider: ScriptedProvider) -> Iterator[None]:
    """Servers started within the block ask this provider instead of the site's."""
    before = os.environ["OPENAI_BASE_URL"]
    os.environ["OPENAI_BASE_URL"] = provider.url
    try:
        yield
    finally:
        os.environ["OPENAI_BASE_URL"] = before
