"""Ready-made statements: run one, and have its rows as what they are.

For statements that the ORM cannot write, or for which it takes longer than the database. Each runs in the caller's
transaction, if there is one.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import starmap
from typing import Any

from django.db import connection

type Parameters = Sequence[Any] | Mapping[str, Any] | None
"""By place or by name; None for a statement that has none, in which `%` is a sign like others."""


def rows[Row](row: Callable[..., Row], statement: str, parameters: Parameters = None) -> list[Row]:
    """The rows that the statement gives, each made by `row` from its columns. Causes a query."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(starmap(row, cursor.fetchall()))


def first[Row](row: Callable[..., Row], statement: str, parameters: Parameters = None) -> Row | None:
    """The first row that the statement gives, made by `row` from its columns; None without one. Causes a query."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found = cursor.fetchone()
    return None if found is None else row(*found)


def only[Row](row: Callable[..., Row], statement: str, parameters: Parameters = None) -> Row:
    """The row of a statement that always gives one, made by `row` from its columns. Causes a query."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return row(*cursor.fetchone())


def column(statement: str, parameters: Parameters = None) -> list[Any]:
    """The one column of all rows that the statement gives. Causes a query."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [value for (value,) in cursor.fetchall()]


def value(statement: str, parameters: Parameters = None) -> Any:
    """The first column of the first row that the statement gives; None when it gives no row. Causes a query."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found = cursor.fetchone()
    return found[0] if found else None


def run(statement: str, parameters: Parameters = None) -> int:
    """How many rows the statement found or changed; what they are is not read. Causes a query."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)
