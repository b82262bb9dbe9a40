"""Finds a Chromium that starts, and installs one if there is none: `python -m tests.kit.install_chromium`.

The headless shell is preferred: the same engine without the browser's own windows, which use more of the processor than
the pages in them. With it the tests of pages take half the time.
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
"""Arguments with which tests and benchmarks start Chromium: without a window, and without tasks of its own."""


def find_chromium(*, whole: bool = False) -> Path | None:
    """Path of an installed headless shell, Chromium or Chrome that starts, or None.

    With `whole`, a browser with windows is preferred, as people have it.
    """
    return (find_browser() or find_shell()) if whole else (find_shell() or find_browser())


def find_shell() -> Path | None:
    """Path of an installed headless shell that starts, or None."""
    return next(filter(_starts, _shells()), None)


def find_browser() -> Path | None:
    """Path of an installed Chromium or Chrome that starts, with all its features, or None."""
    return next(filter(_starts, _browsers()), None)


def install_chromium() -> Path | None:
    """Install Playwright's Chromium, or the system's if that fails; returns its path, or None."""
    for command in _installations():
        sys.stderr.write(f"Installing Chromium for the tests: {' '.join(command)}\n")
        # The result is judged by the browser that is there afterwards, not by the installer's exit code.
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
        # Ubuntu has no package of the shell.
        for package in (SHELL, "chromium"):
            yield [*rights, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", package]


def install_shell() -> Path | None:
    """Install the headless shell in addition to a browser, if that needs no interaction; returns its path, or None."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    install([SHELL], {SHELL: SHELL})
    return find_shell()


def main() -> int:
    """Print the browser's path; returns 1, with a sentence, when no browser can be installed."""
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
