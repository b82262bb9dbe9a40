"""Runs tests where they may fail now and then: at awkward moments of the wall clock, beside a busy core, many times,
with other random texts each time (`MARKDOWN_SEED`, which a test that fails names).

`python -m tests.programs.flaky` is the short form, about ten minutes. `--moments` and `--times` choose, and so do
files: `python -m tests.programs.flaky --moments leap --times 0`, or `--moments --times 10 tests/browser`. Only the wall
clock is shifted, for Python, the browser and a PostgreSQL of the run's own; the clock by which processes wait stays.
"""

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.kit.install_programs import PROOFS, find, install
from tests.programs.stock_postgres import ROOT, StockPostgres


@dataclass(frozen=True, slots=True)
class Moment:
    """What the wall clock shows when the tests begin, and where the site's days begin."""

    start: datetime
    zone: str


MOMENTS = {
    "month": Moment(datetime(2027, 4, 30, 12, tzinfo=UTC), "UTC"),
    "year": Moment(datetime(2026, 12, 31, 23, 59, 30, tzinfo=UTC), "UTC"),
    "leap": Moment(datetime(2028, 2, 29, 12, tzinfo=UTC), "UTC"),
    "spring": Moment(datetime(2027, 3, 28, 0, 59, 30, tzinfo=UTC), "Europe/Berlin"),
    "autumn": Moment(datetime(2027, 10, 31, 0, 59, 30, tzinfo=UTC), "Europe/Berlin"),
    "half": Moment(datetime(2027, 6, 30, 18, 29, 30, tzinfo=UTC), "Asia/Kolkata"),
}
"""A month's last day, the year's last half minute, the leap day, both clock changes, midnight of a half-hour zone."""

OF_CLOCKS = [
    "tests/admin/test_limits.py",
    "tests/admin/test_lists.py",
    "tests/admin/test_search.py",
    "tests/api/test_jwts.py",
    "tests/api/test_limits.py",
    "tests/accounts/test_access_tokens.py",
    "tests/admin/test_dashboard.py",
    "tests/management/test_doctor.py",
    "tests/pages/test_limits.py",
    "tests/pages/test_lists.py",
    "tests/actions/test_organizing.py",
    "tests/management/test_prune.py",
    "tests/pages/test_times.py",
    "tests/management/test_user_commands.py",
    "tests/usage",
]
OF_PROCESSES = [
    "tests/browser/test_limits.py",
    "tests/browser/test_state.py",
    "tests/replies/making",
    "tests/management/test_doctor.py",
    "tests/web/test_process.py",
    "tests/management/test_runserver.py",
]
OF_CHANCE = [
    "tests/markdown/test_rendering.py",
    "tests/markdown/test_budget.py",
    "tests/markdown/test_references.py",
    "tests/markdown/test_stream.py",
    "tests/markdown/test_tags.py",
]


def preload(folder: Path) -> str:
    """The compiled library that shifts the wall clock; installs a compiler where there is none."""
    if not find("cc"):
        install(["cc"], PROOFS)
    library = folder / "wall.so"
    source = Path(__file__).parents[1] / "clock" / "wall.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"], check=True)
    # PostgreSQL's account has to read it.
    folder.chmod(0o755)
    return str(library)


def shifted(moment: Moment, library: str) -> dict[str, str]:
    """The environment of a process for which it is that moment now."""
    ahead = round((moment.start - datetime.now(UTC)).total_seconds())
    return {"LD_PRELOAD": library, "WALL_OFFSET": str(ahead)}


def at_moment(moment: Moment, library: str, files: Sequence[str]) -> bool:
    """Run the tests at the moment, on two workers; whether they passed."""
    server = StockPostgres()
    # The data is laid out: now the clock begins, the same for the server and the tests.
    environment = shifted(moment, library)
    server.environment |= environment
    with server:
        environment |= {"TEST_DATABASE_URL": server.url, "TEST_TIME_ZONE": moment.zone}
        return run(["--numprocesses", "2", "--dist", "loadscope", *files], environment)


def run(arguments: Sequence[str], environment: dict[str, str] | None = None) -> bool:
    """Run pytest; whether everything passed."""
    command = [sys.executable, "-m", "pytest", "--quiet", "--show-capture=no", *arguments]
    environment = {"MARKDOWN_SEED": str(secrets.randbelow(2**32))} | os.environ | (environment or {})
    return subprocess.run(command, cwd=ROOT, env=environment).returncode == 0


def main() -> int:
    """Run what was asked for; the number of runs that failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--moments", nargs="*", choices=list(MOMENTS), default=list(MOMENTS), metavar="MOMENT")
    parser.add_argument("--times", type=int, default=2, metavar="N", help="runs beside a busy core")
    parser.add_argument("files", nargs="*", help="tests to run in place of the chosen ones")
    chosen = parser.parse_args()
    failed = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as busy:
        library = preload(Path(folder))
        for name in chosen.moments:
            sys.stdout.write(f"--- {name}: {MOMENTS[name].start:%d %B %Y %H:%M:%S} UTC, {MOMENTS[name].zone}\n")
            sys.stdout.flush()
            if not at_moment(MOMENTS[name], library, chosen.files or OF_CLOCKS):
                failed.append(name)
        if chosen.times:
            core = busy.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            busy.callback(core.kill)
        for number in range(1, chosen.times + 1):
            sys.stdout.write(f"--- beside a busy core, {number} of {chosen.times}\n")
            sys.stdout.flush()
            if not run(["--numprocesses", "2", "--dist", "loadscope", *(chosen.files or OF_PROCESSES + OF_CHANCE)]):
                failed.append(f"busy {number}")
    sys.stdout.write(f"Failed: {', '.join(failed)}\n" if failed else "Everything passed.\n")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
