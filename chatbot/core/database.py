"""Database connections: how they are opened, checked without a query, noted as lost; commits that skip the disk."""

import select
import time
from dataclasses import dataclass
from typing import Any, Self

import psycopg
from django.db import connection as django_connection
from django.db import connections
from psycopg import Connection
from psycopg_pool import ConnectionPool

from chatbot.core.process import Part

WITHOUT_WAITING = "(SELECT set_config('synchronous_commit', 'off', true)) AS without_waiting"
"""SQL for a statement's FROM: its transaction does not wait for the disk, for data that a crash may lose."""


@dataclass(slots=True)
class Reach:
    """What the process knows of the way to the database."""

    last_away: float = float("-inf")
    """When it last found the database out of reach, by the clock that never jumps."""


reach = Part(Reach)


def note_away(_pool: object = None) -> None:
    """Remember that the database is unreachable now. Safe in any thread; the pool calls it too."""
    reach().last_away = time.monotonic()


def seconds_since_away() -> float:
    """Seconds since this process last found the database unreachable; infinite when it never did."""
    return time.monotonic() - reach().last_away


class PromptConnection(Connection[Any]):
    """A connection on which the server starts each statement at once, without compiling it.

    PostgreSQL compiles (`jit`) statements of high estimated cost. Estimates for tables that were just filled are far
    too high, and compiling takes many times as long as running this site's statements.
    """

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> Self:
        """Open a connection. Raises `psycopg.OperationalError`."""
        connection = super().connect(conninfo, **options)
        try:
            # Not a parameter of the connection: poolers refuse parameters that they do not know.
            connection.execute("SET jit = off")
        except psycopg.Error:
            connection.close()
            raise
        return connection


def check_connection(connection: Connection[Any]) -> None:
    """Raise `psycopg.OperationalError` when the server has closed a pooled connection.

    An idle connection without incoming data counts as alive; a server that ends a connection sends a message on it, and
    then the server is asked. The pool's own check asks each time, which costs as much as a small query.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if not waiting.poll(0):
        return
    try:
        ConnectionPool.check_connection(connection)
    except psycopg.OperationalError:
        note_away()
        # Most likely the server was restarted and has ended the other connections too. The pool would find them one by
        # one, waiting longer after each, until the request has waited too long.
        if pool := pool_of(connection):
            pool.check()
        raise


def pool_of(connection: Connection[Any]) -> ConnectionPool[Any] | None:
    """The pool that has given the connection away; None for one that no pool has.

    psycopg tells this to nobody: it is the connection's `_pool`, as of psycopg 3.3.
    """
    pool = getattr(connection, "_pool", None)
    return pool if isinstance(pool, ConnectionPool) else None


def site_pool() -> ConnectionPool[Any] | None:
    """The pool of the site's database, if this process has one by now.

    Django's property `pool` would make one, and with it an embedded server would be started: the pools that there are
    stand in `_connection_pools`, as of Django 6.1.
    """
    connection: Any = django_connection
    return connection._connection_pools.get(connection.alias)  # type: ignore[no-any-return]


def close_pools() -> None:
    """End the threads of the database's pools, for which the interpreter would wait in vain at its own end."""
    connection: Any
    for connection in connections.all():
        connection.close_pool()
