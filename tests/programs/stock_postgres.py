"""The system's own PostgreSQL, which compiles statements (jit) as the embedded one cannot, on data of its own.

`python -m tests.programs.stock_postgres` runs the tests of exports, imports and archives on it, or those that it is
given.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from chatbot.embedded.postgres.account import choose_account
from tests.kit.install_programs import PROOFS, install

ROOT = Path(__file__).resolve().parents[2]
TRANSFER = [
    "tests/transfer/test_archive.py",
    "tests/transfer/test_export.py",
    "tests/transfer/test_import.py",
    "tests/transfer/test_import_damage.py",
    "tests/transfer/test_import_ownership.py",
]


OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    # As docs/operations.md asks for.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


def programs() -> Path:
    """The folder of the newest PostgreSQL's programs; installs it where there is none."""
    for attempt in range(2):
        if found := sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[4])):
            return found[-1].parent
        if config := shutil.which("pg_config"):
            return Path(subprocess.run([config, "--bindir"], check=True, capture_output=True, text=True).stdout.strip())
        if not attempt:
            install(["postgres"], PROOFS)
    raise FileNotFoundError("Install PostgreSQL, then run this again.")


class StockPostgres:
    """A server: `with StockPostgres() as server:`; `server.url` is its address.

    What is put into `environment` before is added to that of its processes.
    """

    def __init__(self) -> None:
        self.url = ""
        self.environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
        self._folder = Path(tempfile.mkdtemp(prefix="stock-postgres-"))
        self._account = choose_account(self._folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._account.takes(self._folder)
        data = self._folder / "data"
        self._run(
            [f"{programs()}/initdb", f"--pgdata={data}", "--username=postgres", "--auth=trust", "--encoding=UTF8"]
        )

    def __enter__(self) -> Self:
        folder, data = programs(), self._folder / "data"
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        options = OPTIONS | {"port": str(port), "unix_socket_directories": str(self._folder)}
        arguments = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("wb") as log:
            self._process = self._start([f"{folder}/postgres", "-D", str(data), *arguments], log.fileno())
        wait = [f"{folder}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(wait, check=False).returncode:
            time.sleep(0.05)
            if self._process.poll() is not None:
                raise RuntimeError((self._folder / "log").read_text())
        self.url = f"postgres://postgres@127.0.0.1:{port}/postgres"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, command: Sequence[str], output: int) -> subprocess.Popen[bytes]:
        account = self._account
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=self.environment,
            user=account.uid if account.changes else None,
            group=account.gid if account.changes else None,
            extra_groups=[] if account.changes else None,
        )

    def _run(self, command: Sequence[str]) -> None:
        with self._start(command, subprocess.PIPE) as process:
            output, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{command[0]}: {output.decode(errors='replace')}")


def main() -> int:
    """Run the tests."""
    with StockPostgres() as server:
        command = [sys.executable, "-m", "pytest", *(sys.argv[1:] or TRANSFER)]
        return subprocess.run(command, cwd=ROOT, env=os.environ | {"TEST_DATABASE_URL": server.url}).returncode


if __name__ == "__main__":
    sys.exit(main())
