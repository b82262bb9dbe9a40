"""Finds the programs for the tests, such as proxies and curl, and installs missing ones.

`python -m tests.kit.install_programs` prints their paths.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {"nginx": "nginx-light", "caddy": "caddy", "pgbouncer": "pgbouncer", "curl": "curl"}
PROOFS = {"postgres": "postgresql", "cc": "gcc libc6-dev"}
"""Further programs for the longer tests: a PostgreSQL that is not the embedded one, a compiler."""

ELSEWHERE = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/local/bin")


def find(name: str) -> Path | None:
    """Path of the program with this name, or None."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *ELSEWHERE]))
    return Path(found) if found else None


def program(name: str) -> str:
    """Path of the program with this name. Raises `FileNotFoundError` with advice."""
    found = find(name)
    if found is None:
        raise FileNotFoundError(f"Install {name}: python -m tests.kit.install_programs")
    return str(found)


def install(names: list[str], packages_of: dict[str, str] = PACKAGES) -> None:
    """Install these programs with the system's package manager; the caller checks the result."""
    if shutil.which("brew"):
        commands = [["brew", "install", "--quiet", *names]]
    else:
        rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
        # Keeps the packages from starting services on this machine.
        environment = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
        packages = [package for name in names for package in packages_of[name].split()]
        commands = [
            [*rights, "apt-get", "update", "-qq"],
            [*rights, *environment, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
        ]
    for command in commands:
        sys.stderr.write(f"Installing programs for the tests: {' '.join(command)}\n")
        try:
            subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        except OSError as error:
            sys.stderr.write(f"{error}\n")


def main() -> int:
    """Print each program's path; returns 1, with a sentence, when one cannot be installed."""
    if missing := [name for name in PACKAGES if not find(name)]:
        install(missing)
    missing = [name for name in PACKAGES if not find(name)]
    if missing:
        sys.stderr.write(f"Install {', '.join(missing)}, then run make test again.\n")
        return 1
    sys.stdout.write("".join(f"{find(name)}\n" for name in PACKAGES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
