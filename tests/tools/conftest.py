"""Fixtures of the tests of calls."""

from collections.abc import AsyncIterator, Iterator

import pytest
from django.db import connection

from accounts.models import User
from chatbot.core.database import site_pool
from tests.tools.calling import Gate, free, until


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that is open at the end, whatever the test has found."""
    made = Gate()
    yield made
    made.open()


@pytest.fixture
async def nothing_left(transactional_db: None, user: User, gate: Gate) -> AsyncIterator[None]:
    """After the test's calls no thread of theirs is left, and the pool has all connections that they had."""
    # An asynchronous test has a connection of its own, which nobody else closes.
    connection.ensure_connection()
    before = given_away()
    yield
    gate.open()
    await free()
    # The pool opens another one for each that was lost, by and by.
    await until(lambda: given_away() <= before)
    connection.close()


def given_away() -> int:
    """Number of connections that the pool has given away."""
    pool = site_pool()
    assert pool
    stats = pool.get_stats()
    return stats["pool_size"] - stats["pool_available"]
