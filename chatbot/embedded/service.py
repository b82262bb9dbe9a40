"""A server that all processes of a checkout share: started by the first that needs it, ended after the last.

The processes are not counted. Three locks in the service's folder tell who uses it; the kernel releases them when
their process ends, also after `kill -9`:

    users.lock    shared, held by each process that uses the service, for its life
    start.lock    exclusive, held while a process looks for the service or starts it
    keeper.lock   exclusive, held by the keeper, the process that runs the service (see keeper.py)
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from chatbot.embedded.locks import EmbeddedServiceError, is_held, open_lock, unlock, wait_for_lock

PATIENCE = 120.0
"""Seconds allowed for a start, or another process's start or stop; recovery of a large database takes long."""

_ATTEMPTS = 3
_PAUSE = 0.01
_LOG_LIMIT = 1_000_000
# The keeper and its service do not get the application's secrets.
_KEPT_VARIABLES = ("HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PATH", "TMPDIR")


class Files:
    """The files in a service's folder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.users = directory / "users.lock"
        self.start = directory / "start.lock"
        self.keeper = directory / "keeper.lock"
        self.state = directory / "state.json"
        self.log = directory / "log"

    def write_state(self, kind: str, content: object) -> None:
        """Write `running` with what users need to know, or `failed` with a sentence, as a whole file."""
        fresh = self.state.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as file:
            json.dump({kind: content, "keeper": os.getpid()}, file)
        fresh.replace(self.state)

    def read_state(self) -> dict[str, object]:
        """The state from `write_state`; empty without one."""
        try:
            content = json.loads(self.state.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def state_version(self) -> tuple[int, int] | None:
        """A value that changes whenever the state does; None without a state."""
        try:
            status = self.state.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns


class SharedService:
    """This process's use of a shared service.

    `title` names it in sentences, `factory` ("package.module:Class") creates it in the keeper's process from the folder
    and `options`, and `instead` says which setting replaces it.
    """

    def __init__(self, title: str, directory: Path, factory: str, options: Mapping[str, str], instead: str) -> None:
        self._title = title
        self._files = Files(directory)
        self._factory = factory
        self._options = dict(options)
        self._instead = instead
        self._locks: tuple[int, int] | None = None
        self._version: tuple[int, int] | None = None
        self._values: dict[str, str] = {}
        self._mutex = threading.Lock()
        os.register_at_fork(after_in_child=self._after_fork)

    def ensure(self) -> dict[str, str]:
        """What a user of the service needs to know, once it runs; takes microseconds when it ran at the last call.

        Blocks while it starts. Raises `EmbeddedServiceError` when it does not.
        """
        if not self._is_current():
            with self._mutex:
                if not self._is_current():
                    self._join()
        return self._values

    def _is_current(self) -> bool:
        return (
            self._locks is not None
            and self._version is not None
            and self._version == self._files.state_version()
            and is_held(self._locks[1])
        )

    def _after_fork(self) -> None:
        # The descriptors are shared with the parent, and the child is one more user; only the mutex may be stuck.
        self._mutex = threading.Lock()

    def _join(self) -> None:
        users, keeper = self._open_locks()
        if not wait_for_lock(users, exclusive=False, seconds=PATIENCE):
            raise self._failure(f"the one before it has been stopping for {PATIENCE:.0f} seconds")
        with self._one_at_a_time():
            self._version, self._values = self._find_or_start(keeper)

    def _open_locks(self) -> tuple[int, int]:
        files = self._files
        try:
            files.directory.mkdir(parents=True, exist_ok=True)
            if self._locks and all(map(_is_open_file, self._locks, (files.users, files.keeper))):
                return self._locks
            # The folder was removed under a running process. The old descriptors stay open: another thread may be about
            # to check one, and its number must not come to mean another file.
            if self._locks:
                unlock(self._locks[0])
            self._locks = open_lock(files.users), open_lock(files.keeper)
        except OSError as error:
            raise self._failure(f"its folder cannot be used ({error})") from error
        return self._locks

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        lock = open_lock(self._files.start)
        try:
            if not wait_for_lock(lock, exclusive=True, seconds=PATIENCE):
                raise self._failure(f"another process has been starting it for {PATIENCE:.0f} seconds")
            yield
            unlock(lock)
        finally:
            os.close(lock)

    def _find_or_start(self, keeper: int) -> tuple[tuple[int, int] | None, dict[str, str]]:
        deadline = time.monotonic() + PATIENCE
        attempts = 0
        while time.monotonic() < deadline:
            # Read the version first: a state that changes in between is then read again at the next call.
            version, state = self._files.state_version(), self._files.read_state()
            if is_held(keeper):
                if isinstance(values := state.get("running"), dict):
                    return version, values
                time.sleep(_PAUSE)
            elif attempts and (sentence := state.get("failed")):
                raise self._failure(str(sentence))
            elif attempts == _ATTEMPTS:
                raise self._failure(f"its process ended at once: {self._last_words()}")
            else:
                attempts += 1
                self._spawn_keeper()
        raise self._failure(f"it was not ready after {PATIENCE:.0f} seconds: {self._last_words()}")

    def _spawn_keeper(self) -> None:
        """Start the keeper, which leaves this process's session and returns at once."""
        log = self._files.log
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            log.replace(log.with_suffix(".old"))
        root = Path(__file__).resolve().parents[2]
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600), "ab") as output:
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "chatbot.embedded.keeper",
                    self._factory,
                    str(self._files.directory),
                    json.dumps(self._options),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=environment | {"PYTHONPATH": str(root), "LC_ALL": "C.UTF-8"},
                start_new_session=True,
                # Its end is detected by its lock.
                check=False,
            )

    def _last_words(self) -> str:
        try:
            lines = self._files.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return "it left no log"
        return lines[-1].strip() if lines else "its log is empty"

    def _failure(self, reason: str) -> EmbeddedServiceError:
        return EmbeddedServiceError(
            f"{self._title} could not be started: {reason.rstrip('.')}. Its log is {self._files.log}. {self._instead}"
        )


def _is_open_file(descriptor: int, path: Path) -> bool:
    return path.exists() and os.path.samestat(os.fstat(descriptor), path.stat())
