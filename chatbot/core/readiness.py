"""Whether the database can be reached and has the schema of this version."""

import logging
from functools import cache

import psycopg
from django.db import DatabaseError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from psycopg_pool import PoolTimeout

from chatbot.core import faults, sql

logger = logging.getLogger(__name__)

NAMED = 10
"""Number of migrations that one sentence names."""

AWAY = (DatabaseError, PoolTimeout)

FILE = """
SELECT count(*) FROM (SELECT md5(number::text) FROM generate_series(1, 4000) AS number ORDER BY 1 OFFSET 0) AS sorted
"""
"""SQL that sorts more than the smallest memory holds, so that the server writes a file as when it stores rows."""


@cache
def known_migrations() -> frozenset[tuple[str, str]]:
    """Application and name of each migration that this version has."""
    # Without a connection no migration counts as applied, and all of them are in the graph.
    return frozenset(MigrationLoader(None).graph.nodes)


def pending_migrations() -> list[str]:
    """The migrations that the database lacks, such as `conversations.0004_window`; causes two queries."""
    applied = MigrationRecorder(connection).applied_migrations()
    return sorted(f"{app}.{name}" for app, name in known_migrations() - applied.keys())


def missing() -> str:
    """What keeps the process from serving, without secrets; empty when nothing does. Causes queries."""
    try:
        pending = pending_migrations()
        check_disk()
    except AWAY as error:
        return "the database's disk is full" if is_full(error) else "the database is not available"
    return f"{len(pending)} migrations are not applied" if pending else ""


def check_disk() -> None:
    """Make the database write a small file. Raises one of `AWAY` where it cannot; causes two queries."""
    with transaction.atomic():
        sql.run("SET LOCAL work_mem = '64kB'")
        sql.run(FILE)


def is_full(error: BaseException | None) -> bool:
    """Whether the error was caused by a full disk of the database."""
    return error is not None and any(isinstance(each, psycopg.errors.DiskFull) for each in faults.chain(error))


def refusal() -> str:
    """Why the process must not start, as a sentence; empty when it may start.

    An unreachable database is no reason: the process waits for it.
    """
    try:
        pending = pending_migrations()
    except AWAY as error:
        logger.warning("The database is not available at the start: %s", error)
        return ""
    finally:
        connection.close()
    if not pending:
        return ""
    more = f" and {len(pending) - NAMED} more" if len(pending) > NAMED else ""
    named = ", ".join(pending[:NAMED])
    return f"The database is behind this version. Run `manage.py migrate` first. Missing: {named}{more}."
