"""Cost of each migration of the conversations on full tables, and how long it blocks writers."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from benchmarks.figures import Figure, Report
from benchmarks.people import sign_in

MESSAGES = 1_000_000
BEGIN = "0005_configuration"
"""The last migration before which no site can have many rows: the fill uses its columns."""

PER_CONVERSATION = 20
STALL_MOST = 500.0
"""Milliseconds that a writer may wait for a migration."""

FILL = (
    """
    INSERT INTO conversations_conversation (id, user_id, title, created_at, updated_at)
    SELECT gen_random_uuid(), %(user)s, 'A conversation', now() - number * interval '20 seconds', now()
    FROM generate_series(1, %(conversations)s) AS number
    """,
    """
    INSERT INTO conversations_message (id, conversation_id, user_id, role, content, created_at)
    SELECT gen_random_uuid(), conversation.id, user_id, CASE turn %% 2 WHEN 0 THEN 'user' ELSE 'assistant' END,
        repeat('Some words that were said ' || turn || '. ', 6), conversation.created_at + turn * interval '1 second'
    FROM conversations_conversation AS conversation, generate_series(0, %(each)s - 1) AS turn
    """,
    """
    INSERT INTO conversations_generation
        (message_id, conversation_id, status, model, worker, draft, error_code, error, error_detail)
    SELECT id, conversation_id, 'complete', '', '', '', '', '', ''
    FROM conversations_message WHERE role = 'assistant'
    """,
)
WRITE = (
    "UPDATE conversations_message SET content = content WHERE id = %(message)s",
    "UPDATE conversations_conversation SET updated_at = now() WHERE id = %(conversation)s",
)


def measure(*, messages: int = MESSAGES) -> Report:
    """Migrate back, fill the tables, and migrate forward step by step, beside a writer."""
    graph = MigrationExecutor(connection).loader.graph
    (leaf,) = [key for key in graph.leaf_nodes() if key[0] == "conversations"]
    names = [name for app, name in graph.forwards_plan(leaf) if app == "conversations"]
    user = sign_in(1)[0].user
    migrate(BEGIN)
    with connection.cursor() as cursor:
        counts: dict[str, Any] = {
            "user": user.pk,
            "conversations": messages // PER_CONVERSATION,
            "each": PER_CONVERSATION,
        }
        for statement in FILL:
            cursor.execute(statement, counts)
        cursor.execute("VACUUM ANALYZE")
    rows, worst = [], 0.0
    for name in names[names.index(BEGIN) + 1 :]:
        with writing() as stalls:
            begun = time.perf_counter()
            migrate(name)
            seconds = time.perf_counter() - begun
        rows.append(f"| {name} | {seconds:,.1f} s | {max(stalls):,.0f} ms |")
        worst = max(worst, *stalls)
    head = f"| migration, at {messages:,} messages | takes | a writer waits at most |\n|---|---|---|\n"
    return Report(
        [Figure("migrations: the longest that a writer waits", worst, "ms", most=STALL_MOST)],
        tables=[head + "\n".join(rows)],
    )


def migrate(name: str) -> None:
    """Migrate the conversations to this migration."""
    call_command("migrate", "conversations", name, verbosity=0, skip_checks=True)


@contextmanager
def writing() -> Iterator[list[float]]:
    """Write continuously, for a `with` block; yields the milliseconds of each write."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, conversation_id FROM conversations_message LIMIT 1")
        message, conversation = cursor.fetchone()
    stalls, ends = [0.0], threading.Event()
    parameters = connection.get_connection_params()

    def write() -> None:
        known = {
            name: parameters[name] for name in ("dbname", "host", "port", "user", "password") if name in parameters
        }
        with psycopg.connect(**known, autocommit=True) as own:
            while not ends.is_set():
                begun = time.perf_counter()
                for statement in WRITE:
                    own.execute(statement, {"message": message, "conversation": conversation})
                stalls.append((time.perf_counter() - begun) * 1_000)
                ends.wait(0.005)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield stalls
    finally:
        ends.set()
        writer.join()
