"""How a contract says that it is broken."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def relied_upon(promise: str, home: str) -> Iterator[None]:
    """Whatever fails within the block: the package no longer does what `promise` says, and `home` relies on it."""
    try:
        yield
    except Exception as error:
        pytest.fail(f"No longer true after an upgrade: {promise} {home} relies on it. {type(error).__name__}: {error}")
