"""Finds a Chromium that starts, and installs one where there is none: `python -m tests.kit.install_chromium`.

Preferred is the headless shell, the same engine without the browser's own windows, which take more of the processor
than the pages in them: with it the tests of pages take half the time.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.kit.install_programs import install

SHELL = "chromium-headless-shell"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
APPLICATIONS = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""How the tests and the benchmarks start it: without a window, and without errands of its own."""


def find_chromium(*, whole: bool = False) -> Path | None:
    """The program of an installed headless shell, Chromium or Chrome that starts, or None; with `whole` rather one with
    windows, as people have it."""
    return (find_browser() or find_shell()) if whole else (find_shell() or find_browser())


def find_shell() -> Path | None:
    """The program of an installed headless shell that starts, or None."""
    return next(filter(_starts, _shells()), None)


def find_browser() -> Path | None:
    """The program of an installed Chromium or Chrome that starts, with all that people have, or None."""
    return next(filter(_starts, _browsers()), None)


def install_chromium() -> Path | None:
    """Install Playwright's Chromium, or the system's where that cannot be had; its program, or None."""
    for command in _installations():
        sys.stderr.write(f"Installing Chromium for the tests: {' '.join(command)}\n")
        # The outcome is judged by the browser that is there afterwards, not by what an installer says of itself.
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        if found := find_chromium():
            return found
    return None


def _shells() -> Iterator[Path]:
    if path := shutil.which(SHELL):
        yield Path(path)
    for root in _playwright_folders():
        yield from sorted(root.glob("chromium_headless_shell-*/*/*headless?shell"), reverse=True)


def _browsers() -> Iterator[Path]:
    for name in NAMES:
        if path := shutil.which(name):
            yield Path(path)
    yield from APPLICATIONS
    for root in _playwright_folders():
        yield from sorted(root.glob("chromium-*/chrome-*/chrome"), reverse=True)
        yield from sorted(root.glob("chromium-*/chrome-mac*/*.app/Contents/MacOS/*"), reverse=True)


def _playwright_folders() -> Iterator[Path]:
    if chosen := os.environ.get("PLAYWRIGHT_BROWSERS_PATH"):
        yield Path(chosen)
    yield Path.home() / ".cache/ms-playwright"
    yield Path.home() / "Library/Caches/ms-playwright"


def _starts(path: Path) -> bool:
    """Whether the program runs; a snap's stub or a browser without its libraries does not."""
    try:
        subprocess.run([path, "--version"], check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _installations() -> Iterator[list[str]]:
    yield [sys.executable, "-m", "playwright", "install", "chromium"]
    if shutil.which("apt-get"):
        rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
        yield [*rights, "apt-get", "update", "-qq"]
        # Ubuntu has no shell.
        for package in (SHELL, "chromium"):
            yield [*rights, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", package]


def install_shell() -> Path | None:
    """Install the headless shell beside a browser that is there, where that asks nobody for anything; its program."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    install([SHELL], {SHELL: SHELL})
    return find_shell()


def main() -> int:
    """Print the browser's path; 1, with a sentence, when there is none to be had."""
    found = find_shell() or (find_browser() and install_shell()) or find_chromium() or install_chromium()
    if found is None:
        sys.stderr.write(
            "No Chromium could be installed: install chromium or google-chrome, then run make test again.\n"
        )
        return 1
    sys.stdout.write(f"{found}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
