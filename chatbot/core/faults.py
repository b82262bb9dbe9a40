"""Exceptions described in words that cannot repeat what people or models said.

An exception's own text may hold anything: the row that the database refused, the value that could not be read. A
description has its kind, its place, and the words of those kinds that are only about machines and code.
"""

import re
import traceback
from collections.abc import Iterator
from smtplib import SMTPException

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError

PLAIN = (
    OSError,
    AttributeError,
    ImportError,
    NameError,
    RecursionError,
    NotImplementedError,
    ImproperlyConfigured,
)
"""Kinds of exceptions whose words come from the interpreter or the system."""

OF_THE_SERVER = frozenset({"08", "25", "40", "53", "55", "57", "58", "XX"})
"""Classes of PostgreSQL's errors about connections, transactions, resources and the server.

Messages of the other classes contain values.
"""

KEY = re.compile(r"(/key/|/confirm-email/)[^/\s]+")


def without_keys(text: str) -> str:
    """The text without keys in addresses: one that resets a password gives access to the account."""
    return KEY.sub(r"\1...", text)


def described(error: BaseException) -> str:
    """The error's kind, and its words where they are harmless: `OSError: [Errno 28] No space left on device`."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    words = _words(error)
    return f"{name}: {words}" if words else name


def _words(error: BaseException) -> str:
    # Django's database errors wrap the driver's.
    cause = (_cause(error) or error) if isinstance(error, DatabaseError) else error
    if isinstance(cause, psycopg.Error):
        return _words_of_database(cause)
    if isinstance(cause, SMTPException):
        # A system error by kind, but its words name the recipient.
        return ""
    return str(error) if isinstance(error, PLAIN) else ""


def _words_of_database(error: psycopg.Error) -> str:
    state = error.sqlstate
    if not state:
        # The driver's own error: about connections, or about values.
        return str(error) if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) else ""
    words = error.diag.message_primary if state[:2] in OF_THE_SERVER else error.diag.constraint_name
    return " ".join(filter(None, (f"SQLSTATE {state}", words)))


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, then its causes, in order."""
    seen = set[int]()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        if isinstance(each, BaseExceptionGroup):
            for inner in each.exceptions:
                yield from chain(inner)
        each = _cause(each)


def _cause(error: BaseException) -> BaseException | None:
    """The error's cause or context, unless it is suppressed."""
    if error.__cause__ is not None and error.__cause__ is not error:
        return error.__cause__
    # An error raised "from" itself has lost its cause, but not its context.
    return error.__context__ if error.__cause__ is error or not error.__suppress_context__ else None


def traced(error: BaseException) -> str:
    """The places that the causes and then the error came from, without words that must not be repeated."""
    parts = [
        f"Traceback (most recent call last):\n{''.join(traceback.format_tb(each.__traceback__))}{described(each)}"
        for each in chain(error)
    ]
    return "\n\nThat led to:\n\n".join(reversed(parts))
