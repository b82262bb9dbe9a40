"""Prepared SQL statements: run one, and get its rows as typed values.

For statements that the ORM cannot express, or for which it takes longer than the database. Each runs in the caller's
transaction, if there is one.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import starmap
from typing import Any

from django.db import connection

type Parameters = Sequence[Any] | Mapping[str, Any] | None
"""Parameters by position or by name; None for a statement without any, in which `%` is an ordinary character."""


def rows[Row](row: Callable[..., Row], statement: str, parameters: Parameters = None) -> list[Row]:
    """The statement's rows, each made by `row` from its columns. Causes a query."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(starmap(row, cursor.fetchall()))


def first[Row](row: Callable[..., Row], statement: str, parameters: Parameters = None) -> Row | None:
    """The statement's first row, made by `row` from its columns; None without one. Causes a query."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found = cursor.fetchone()
    return None if found is None else row(*found)


def only[Row](row: Callable[..., Row], statement: str, parameters: Parameters = None) -> Row:
    """The row of a statement that always returns one, made by `row` from its columns. Causes a query."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return row(*cursor.fetchone())


def column(statement: str, parameters: Parameters = None) -> list[Any]:
    """The only column of all of the statement's rows. Causes a query."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [value for (value,) in cursor.fetchall()]


def value(statement: str, parameters: Parameters = None) -> Any:
    """The first column of the statement's first row; None when it returns no row. Causes a query."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found = cursor.fetchone()
    return found[0] if found else None


def run(statement: str, parameters: Parameters = None) -> int:
    """Number of rows that the statement found or changed; the rows are not read. Causes a query."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)
