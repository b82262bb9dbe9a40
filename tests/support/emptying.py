"""How a test that commits leaves the database: empty, as it found it."""

from functools import cache
from typing import Any

from django.db import OperationalError, connection
from django.test import TransactionTestCase
from psycopg.errors import DeadlockDetected

MADE_BY_MIGRATING = frozenset({"auth_permission", "django_content_type"})
TRIES = 5
"""How often the tables are emptied against a server that still ends what a request had begun."""


def empty_quickly() -> None:
    """Have every test that commits empty only what it has filled.

    Django empties all tables, used or not, and then makes all permissions anew, which takes longer than most tests.
    """
    TransactionTestCase._fixture_teardown = _empty  # type: ignore[attr-defined] # the method that does it


def end_other_sessions() -> None:
    """End what still uses the tests' database: a thread that has ended keeps its connection until it is collected."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


def _empty(case: Any) -> None:
    for _ in range(TRIES - 1):
        try:
            return _truncate()
        except OperationalError as error:
            if not isinstance(error.__cause__, DeadlockDetected):
                raise
    return _truncate()


def _truncate() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_question())
        if filled := [table for (table,) in cursor.fetchall()]:
            # What refers to a filled table has to be named, too; CASCADE names it.
            cursor.execute(f"TRUNCATE {', '.join(map(connection.ops.quote_name, filled))} CASCADE")


@cache
def _question() -> str:
    """The statement that lists the tables in which there are rows."""
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False))
    looks = (
        f"SELECT '{table}' WHERE EXISTS (SELECT FROM {connection.ops.quote_name(table)})"  # noqa: S608 (our own names)
        for table in sorted(tables - MADE_BY_MIGRATING)
    )
    return " UNION ALL ".join(looks)
