"""What only one process may do at a time, wherever it runs."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection


@contextmanager
def alone(number: int) -> Iterator[bool]:
    """Whether this block is the only one that runs under this number, on all machines.

    The lock belongs to a transaction on a connection of its own, so that a pooler which hands connections out by the
    transaction keeps it too. That transaction reads nothing: it holds no old row back from vacuum.
    """
    with psycopg.connect(**connection.get_connection_params()) as own:
        own.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        row = own.execute("SELECT pg_try_advisory_xact_lock(%s)", [number]).fetchone()
        yield bool(row and row[0])
