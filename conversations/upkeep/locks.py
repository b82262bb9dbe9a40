"""Locks for work that only one process may do at a time, on all machines."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection


@contextmanager
def alone(number: int) -> Iterator[bool]:
    """Whether this block is the only one that runs under this number, on all machines.

    The lock belongs to a transaction on a connection of its own, so it also holds behind a pooler that assigns
    connections per transaction. That transaction reads nothing, so it does not keep old rows from vacuum.
    """
    with psycopg.connect(**connection.get_connection_params()) as own:
        own.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        row = own.execute("SELECT pg_try_advisory_xact_lock(%s)", [number]).fetchone()
        yield bool(row and row[0])
