"""A PostgreSQL server of the faults' own, which they may stop, start and cut."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import psycopg

from chatbot.embedded.postgres.account import Account
from chatbot.embedded.postgres.cluster import Cluster
from tests.kit.server import ROOT

NAME = "chat"
TESTS = "tests"
"""What the sessions of the tests themselves are called."""

OPTIONS = {
    # What people say must not get into the server's log either, so the log is kept to be looked through.
    "logging_collector": "on",
    "log_filename": "postgresql.log",
    "fsync": "off",
    "full_page_writes": "off",
}


CLOCK = [f"{name}={os.environ[name]}" for name in ("LD_PRELOAD", "WALL_OFFSET") if name in os.environ]
"""What shifts the wall clock of a program, where that of the tests is shifted."""


class _Account(Account):
    def popen(self, command: Sequence[str], *, output: IO[bytes] | int | None = None) -> subprocess.Popen[bytes]:
        return super().popen(["env", *CLOCK, *command], output=output)


class _Cluster(Cluster):
    """Its programs see the same time as the tests."""

    def _reach(self, programs: Path) -> Account:
        return _Account(**vars(super()._reach(programs)))


class Database:
    """The server and its database: `with Database(folder) as database:`; `database.url` is its address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._cluster = _Cluster(folder, OPTIONS)
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        self._execute("postgres", f"CREATE DATABASE {NAME}")
        # Another database that the suite was told to use is not this one's concern.
        environment = os.environ | self.environment | {"TEST_SERVER": "true"}
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0", "--skip-checks"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """What a process of the site has to know."""
        return {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "TEST_DATABASE_URL": self.url,
            "TEST_DATABASE_NAME": NAME,
            "TEST_IMPATIENT": "true",
        }

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self._sockets = self._cluster.start()["host"]
        self.url = f"postgres://postgres@/{NAME}?host={self._sockets}"

    def stop(self) -> None:
        """End every session and the server: a fast shutdown."""
        self._cluster.stop()

    def crash(self) -> None:
        """End the server at once, without a word to anybody: an immediate shutdown, recovered from at the start."""
        postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGQUIT)
        self._cluster.stop()

    def cut(self) -> int:
        """End every session of the site; how many there were."""
        ((count,),) = self._execute(
            "postgres",
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = %s AND backend_type = 'client backend' AND application_name <> %s",
            NAME,
            TESTS,
        )
        return int(count)

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self._execute(NAME, sql, *parameters)

    def sessions(self) -> list[str]:
        """The state of each session of the site: `idle`, `active`, `idle in transaction`."""
        # One of the tests' own may still be there, about to end.
        sql = (
            "SELECT state FROM pg_stat_activity"
            " WHERE datname = %s AND backend_type = 'client backend' AND application_name <> %s"
        )
        return [str(state) for (state,) in self._execute("postgres", sql, NAME, TESTS)]

    def empty(self) -> None:
        """Forget every person and all that was said."""
        self._execute(NAME, "TRUNCATE accounts_user, accounts_cache, django_session CASCADE")

    def log(self) -> str:
        """What the server has logged so far."""
        return (self.folder / "data" / "log" / "postgresql.log").read_text(errors="replace")

    def _execute(self, name: str, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(
            host=self._sockets, user="postgres", dbname=name, autocommit=True, application_name=TESTS
        ) as connection:
            cursor = connection.execute(sql.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []
