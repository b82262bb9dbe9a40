"""Whether the database is there, and as this version of the chat needs it."""

import logging
from functools import cache

from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from psycopg_pool import PoolTimeout

logger = logging.getLogger(__name__)

NAMED = 10
"""Migrations that one sentence names."""

AWAY = (DatabaseError, PoolTimeout)


@cache
def known_migrations() -> frozenset[tuple[str, str]]:
    """Application and name of each migration that this version has."""
    # Without a connection nothing counts as applied, and every migration is in the graph.
    return frozenset(MigrationLoader(None).graph.nodes)


def pending_migrations() -> list[str]:
    """The migrations that the database lacks, such as `conversations.0004_window`; causes two queries."""
    applied = MigrationRecorder(connection).applied_migrations()
    return sorted(f"{app}.{name}" for app, name in known_migrations() - applied.keys())


def missing() -> str:
    """What keeps the process from serving people, for anybody to read; empty when nothing does."""
    try:
        pending = pending_migrations()
    except AWAY:
        return "the database is away"
    return f"{len(pending)} migrations are not applied" if pending else ""


def refusal() -> str:
    """Why the process must not start, as a sentence; empty when it may.

    A database that is away is no reason: it is waited for.
    """
    try:
        pending = pending_migrations()
    except AWAY as error:
        logger.warning("The database is away at the start: %s", error)
        return ""
    finally:
        connection.close()
    if not pending:
        return ""
    more = f" and {len(pending) - NAMED} more" if len(pending) > NAMED else ""
    named = ", ".join(pending[:NAMED])
    return f"The database is behind this version. Run `manage.py migrate` first. Missing: {named}{more}."
