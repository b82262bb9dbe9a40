"""Linux's data on processes: cores, CPU time, memory and threads."""

import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat, counted from the one after the program's name.
USER_TIME, SYSTEM_TIME, CHILDREN_USER_TIME, CHILDREN_SYSTEM_TIME = 11, 12, 13, 14

# On other systems than Linux the module can only be imported, by tests.
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
SERVER_CORES = {CORES[-1]}
"""The core reserved for the server."""

OTHER_CORES = set(CORES[:-1]) or SERVER_CORES
"""The cores for the client, the provider and PostgreSQL."""


def crowding() -> list[str]:
    """A sentence for a server that shares its core with the rest of the benchmark."""
    if SERVER_CORES != OTHER_CORES:
        return []
    return ["The server shared its only core with all that stands around it: measure on two cores or more."]


@contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """Processes and threads started within the block run on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process in all its threads, user and system."""
    fields = _stat(pid)
    return (int(fields[USER_TIME]) + int(fields[SYSTEM_TIME])) / TICKS


def family_cpu_seconds(pid: int) -> float:
    """CPU seconds of a process and its children, including ended ones."""
    fields = _stat(pid)
    ended = (int(fields[CHILDREN_USER_TIME]) + int(fields[CHILDREN_SYSTEM_TIME])) / TICKS
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return cpu_seconds(pid) + ended + sum(_cpu_seconds_or_nothing(int(child)) for child in children)


def machine_cpu_seconds() -> float:
    """CPU seconds of all processes on all cores, including those of other guests of the host."""
    fields = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen, *_ = map(int, fields)
    return (user + nice + system + interrupts + soft_interrupts + stolen) / TICKS


def resident_bytes(pid: int) -> int:
    """Bytes of a process's memory that are in RAM."""
    return _status(pid, "VmRSS") * 1024


def threads(pid: int) -> int:
    """Number of threads of a process."""
    return _status(pid, "Threads")


def description() -> str:
    """The machine in a few words: processor, cores, system, Python."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    processor = model[1] if model else platform.machine()
    return (
        f"{processor}, {len(CORES)} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _status(pid: int, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"process {pid} has no {name}")
    return int(found[1])


def _cpu_seconds_or_nothing(pid: int) -> float:
    try:
        return cpu_seconds(pid)
    except (FileNotFoundError, ProcessLookupError):
        # The process has just ended, and its time is counted as its parent's.
        return 0.0
