"""The process that runs an embedded service and ends it after its last user.

    python -m chatbot.embedded.keeper package.module:Class /its/folder '{"option": "value"}'

The class is called with the folder and the options, in a process without Django and of its own session, so that
Ctrl-C in a terminal does not reach it. See service.py for the locks.
"""

import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Protocol, cast

from chatbot.embedded.locks import EmbeddedServiceError, open_lock, try_lock, unlock, wait_for_lock
from chatbot.embedded.service import Files

POLL = 0.5
"""Seconds between two checks of the users and of the service."""

_QUIET_POLLS = 3
_RESTARTS = 3
_RESTARTS_WITHIN = 60.0


class Service(Protocol):
    """A service that the keeper can run."""

    def start(self) -> Mapping[str, str]:
        """Start it, or adopt a running one; returns what its users need to know. Raises `EmbeddedServiceError`."""

    def running(self) -> bool:
        """Whether it still runs; called often, so it must be cheap."""

    def stop(self) -> None:
        """Stop it, also when it did not start."""


def main(arguments: list[str]) -> int:
    """Become the folder's keeper in the background, unless there is one; returns the exit code."""
    factory, folder, options = arguments
    files = Files(Path(folder))
    lock = open_lock(files.keeper)
    # Processes that only check the lock hold it for an instant.
    if not wait_for_lock(lock, exclusive=True, seconds=0.5):
        return 0
    files.state.unlink(missing_ok=True)
    # The parent's end tells the starter that the lock is held, and leaves it no child to wait for.
    if os.fork():
        os._exit(0)
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    try:
        module, _, name = factory.partition(":")
        service = getattr(importlib.import_module(module), name)(files.directory, json.loads(options))
        _keep(cast("Service", service), files)
    except EmbeddedServiceError as error:
        files.write_state("failed", str(error))
    except Exception as error:
        traceback.print_exc()
        files.write_state("failed", f"{type(error).__name__}: {error}")
    # Threads of the service must not delay the end of the process, which releases the locks.
    sys.stderr.flush()
    os._exit(0)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit


def _keep(service: Service, files: Files) -> None:
    try:
        files.write_state("running", dict(service.start()))
        _watch(service, files)
    except SystemExit:
        pass
    finally:
        # A second signal must not interrupt the stop.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        files.state.unlink(missing_ok=True)
        service.stop()


def _watch(service: Service, files: Files) -> None:
    """Return after the last user has left, holding the users' lock, so that the next one waits for the stop."""
    users = open_lock(files.users)
    quiet = 0
    restarts: list[float] = []
    while True:
        time.sleep(POLL)
        if not service.running():
            _restart(service, files, restarts)
        if not try_lock(users, exclusive=True):
            quiet = 0
            continue
        quiet += 1
        if quiet == _QUIET_POLLS:
            return
        unlock(users)


def _restart(service: Service, files: Files, restarts: list[float]) -> None:
    """Start a service that died while it had users, but not too often. Raises `EmbeddedServiceError`."""
    now = time.monotonic()
    restarts[:] = [moment for moment in restarts if now - moment < _RESTARTS_WITHIN] + [now]
    if len(restarts) > _RESTARTS:
        raise EmbeddedServiceError(f"it died {len(restarts)} times within {_RESTARTS_WITHIN:.0f} seconds")
    files.state.unlink(missing_ok=True)
    files.write_state("running", dict(service.start()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
