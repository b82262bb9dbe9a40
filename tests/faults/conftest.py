"""The site that the faults break, and the chance that says when."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random, SystemRandom
from typing import Protocol

import pytest

from tests.faults.database import Database
from tests.faults.site import Process, Site
from tests.faults.speech import script_for
from tests.kit.provider import ScriptedProvider

SEED = os.environ.setdefault("FAULTS_SEED", str(SystemRandom().randrange(10**6)))
FULL = os.environ.get("FAULTS", "quick") == "full"

Chance = Callable[[object], Random]
"""What chooses the moments of one task of a test, by its name."""


def pytest_report_header() -> str:
    """Say how to see the same faults again."""
    return f"faults: {'full' if FULL else 'quick'}, FAULTS_SEED={SEED}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `full` where the faults are quick."""
    if not FULL and (left_out := [item for item in items if item.get_closest_marker("full")]):
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    """A PostgreSQL server for the faults of this worker."""
    # A short path: PostgreSQL's socket is in it.
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="faults-") as folder, Database(Path(folder)) as started:
        yield started


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> Chance:
    """What chooses the random moments of this test; the seed is printed when it fails."""
    sys.stdout.write(f"To see the same moments again: FAULTS_SEED={SEED}\n")

    # One each for what runs at the same time: the order in which tasks draw is never the same.
    def of(task: object) -> Random:
        return Random(f"{SEED} {request.node.name} {task}")  # noqa: S311 (not a secret)

    return of


class NewSite(Protocol):
    """Makes the site of a test."""

    def __call__(self, *, processes: int = 2, kind: type[Process] = Process, **environment: str) -> Site: ...


@pytest.fixture
def new_site(database: Database, provider: ScriptedProvider, tmp_path: Path) -> NewSite:
    """A site of so many server processes, whose model says what it is asked to."""
    provider.answer(script_for)

    def make(*, processes: int = 2, kind: type[Process] = Process, **environment: str) -> Site:
        return Site(database, provider, tmp_path, processes=processes, kind=kind, **environment)

    return make
