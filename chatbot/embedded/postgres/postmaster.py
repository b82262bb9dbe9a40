"""PostgreSQL's first process, as a child or as one that a killed keeper left behind."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from chatbot.embedded.postgres.sockets import SOCKET_NAME

_PAUSE = 0.01
# Lines of postmaster.pid, counted from zero.
_PID, _SOCKETS, _STATUS = 0, 4, 7
# Signal and seconds given to it: end sessions and write all data; stop and recover at the next start; kill.
_STOPS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


class Postmaster:
    """The process that serves the data folder `data`, if there is one."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._file = data / "postmaster.pid"
        self._left_behind: int | None = None
        self.child: subprocess.Popen[bytes] | None = None
        self.had_remains = False

    def running(self) -> bool:
        """Whether the process is alive."""
        if self.child is not None:
            return self.child.poll() is None
        return self._left_behind is not None and self._is_postmaster(self._left_behind)

    def is_ready(self) -> bool:
        """Whether the server reports that it accepts connections."""
        lines = self._lines()
        pid = self.child.pid if self.child else self._left_behind
        return len(lines) > _STATUS and lines[_PID] == str(pid) and lines[_STATUS].strip() == "ready"

    def take_over(self) -> Path | None:
        """Adopt a working server without a keeper; returns its socket's folder.

        A server that does not work is stopped.
        """
        self.child = self._left_behind = None
        lines = self._lines()
        if not lines or not lines[_PID].isdecimal() or not self._is_postmaster(int(lines[_PID])):
            return None
        self._left_behind = int(lines[_PID])
        if self.is_ready():
            sockets = Path(lines[_SOCKETS])
            with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
                probe.connect(str(sockets / SOCKET_NAME))
                return sockets
        self.stop()
        return None

    def stop(self) -> None:
        """Stop the server, more forcefully after each time-out; returns when it has ended."""
        pid = self.child.pid if self.child else self._left_behind
        for number, patience in _STOPS:
            if pid is None or not self.running():
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            deadline = time.monotonic() + patience
            while self.running() and time.monotonic() < deadline:
                time.sleep(_PAUSE)
        self.child = self._left_behind = None

    def clear_remains(self, sockets: Path, owner: int) -> None:
        """Keep the file of a dead server from stopping the next one, whichever process has its number now.

        Only to be called while no server runs. The file stays, since PostgreSQL finds the dead server's memory by it
        and refuses to start while sessions still use that; only the number in it becomes the keeper's, which
        PostgreSQL, as its child, knows not to be a server.
        """
        sockets.joinpath(f"{SOCKET_NAME}.lock").unlink(missing_ok=True)
        lines = self._lines()
        self.had_remains = bool(lines)
        if not lines or not lines[_PID].isdecimal() or not _is_alive(int(lines[_PID])):
            return
        # The folder belongs to an account with fewer rights than this process may have.
        with open(os.open(self._file, os.O_RDWR | os.O_NOFOLLOW), "r+") as file:
            if os.fstat(file.fileno()).st_uid == owner:
                file.write("\n".join([str(os.getpid()), *lines[1:], ""]))
                file.truncate()

    def _lines(self) -> list[str]:
        try:
            return self._file.read_text().splitlines()
        except (FileNotFoundError, UnicodeDecodeError):
            return []

    def _is_postmaster(self, pid: int) -> bool:
        """Whether that process is a PostgreSQL server of the data folder, not a later process with its number."""
        process = Path("/proc", str(pid))
        if Path("/proc/self").exists():
            try:
                return (
                    process.joinpath("cwd").samefile(self._data) and "postgres" in process.joinpath("comm").read_text()
                )
            except OSError:
                return False
        found = subprocess.run(
            ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return "postgres" in found.stdout and str(self._data) in found.stdout


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
