"""Empties the database after a test that commits."""

from functools import cache
from typing import Any

from django.db import OperationalError, connection
from django.test import TransactionTestCase
from psycopg.errors import DeadlockDetected

MADE_BY_MIGRATING = frozenset({"auth_permission", "django_content_type"})
TRIES = 5
"""Attempts to empty the tables while a server still completes requests."""


def empty_quickly() -> None:
    """Empty only the filled tables after each test that commits.

    Django empties all tables, used or not, and then creates all permissions again, which takes longer than most tests.
    """
    TransactionTestCase._fixture_teardown = _empty  # type: ignore[attr-defined] # the method that does it


def end_other_sessions() -> None:
    """End other sessions of the tests' database: an ended thread keeps its connection until it is collected."""
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
            # Tables that refer to a filled one must be named, too; CASCADE does that.
            cursor.execute(f"TRUNCATE {', '.join(map(connection.ops.quote_name, filled))} CASCADE")


@cache
def _question() -> str:
    """The statement that lists the tables with rows."""
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False))
    looks = (
        f"SELECT '{table}' WHERE EXISTS (SELECT FROM {connection.ops.quote_name(table)})"  # noqa: S608 (our own names)
        for table in sorted(tables - MADE_BY_MIGRATING)
    )
    return " UNION ALL ".join(looks)
