"""No migration keeps people waiting: what it does to a table that may be large takes a moment, or locks nobody out."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor

LOCKING = [
    (r"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY).* ON (\S+)", "makes an index without CONCURRENTLY"),
    (r"DROP INDEX (?!CONCURRENTLY)()", "removes an index without CONCURRENTLY"),
    (r"REINDEX (?!.*CONCURRENTLY)()", "makes an index anew without CONCURRENTLY"),
    (r"ALTER TABLE (\S+) ADD CONSTRAINT (?!.*(?:NOT VALID|USING INDEX))", "adds a constraint that is not NOT VALID"),
    (
        r"ALTER TABLE (\S+) ADD COLUMN .*(?:\bUNIQUE\b|\bPRIMARY KEY\b|\bREFERENCES\b|\bCHECK\b)",
        "adds a checked column",
    ),
    # A constant is kept beside the table; for anything else each row is written anew.
    (r"ALTER TABLE (\S+) ADD COLUMN .*\bDEFAULT \(*[\w.]+\(", "adds a column with a volatile default"),
    (r"ALTER TABLE (\S+) ADD COLUMN .*\bGENERATED\b", "adds a column that is computed for each row"),
    (r"ALTER TABLE (\S+) ALTER COLUMN \S+ (?:SET DATA )?TYPE", "changes the type of a column"),
    (r"ALTER TABLE (\S+) ALTER COLUMN \S+ SET NOT NULL", "has all rows looked through for NULL"),
    (r"(?:UPDATE|DELETE FROM) (\S+)", "changes all rows in one transaction: do it in batches (RunPython)"),
    (r"(?:VACUUM FULL|CLUSTER)\b()", "writes a table anew"),
]

SMALL = {
    "conversations_usagelatency",
    "conversations_usagelimit",
    "conversations_turnwindow",
    "conversations_usagemark",
}
"""Tables of sums, and of a row for each person at most."""


def faults(statements: list[str], *, is_atomic: bool) -> Iterator[str]:
    """What in a migration's statements would lock a table that was there before it."""
    made = {name for statement in statements for name in re.findall(r"CREATE TABLE (\S+)", plain(statement))}
    for statement in map(plain, statements):
        for pattern, words in LOCKING:
            found = re.match(pattern, statement, re.IGNORECASE)
            if found and found[1] not in made | SMALL:
                yield f"{words}: {statement}"
        if is_atomic and len(statements) > 1 and re.match(r"ALTER TABLE \S+ VALIDATE", statement, re.IGNORECASE):
            yield f"looks at all rows in a transaction that has locked them: {statement}"


def plain(statement: str) -> str:
    return " ".join(statement.replace('"', "").split()).removesuffix(";")


def statements_of(migration: Migration) -> list[str]:
    """What the migration has the database do, but for what its Python code does."""
    executor = MigrationExecutor(connection)
    plan: Any = [(executor.loader.graph.nodes[migration.app_label, migration.name], False)]
    lines = executor.loader.collect_sql(plan)
    return [line for line in lines if not line.startswith("--") and plain(line) not in {"BEGIN", "COMMIT"}]


def own_migrations() -> list[Any]:
    graph = MigrationExecutor(connection).loader.graph
    own = {app.label for app in apps.get_app_configs() if Path(app.path).parent == settings.BASE_DIR}
    return [node for key, node in sorted(graph.nodes.items()) if key[0] in own]


@pytest.mark.django_db(transaction=True)
def test_no_migration_locks_a_large_table() -> None:
    migrations = own_migrations()
    assert len(migrations) > 20
    found = [
        f"{migration.app_label}.{migration.name} {fault}"
        for migration in migrations
        for fault in faults(statements_of(migration), is_atomic=migration.atomic)
    ]
    assert found == []


@pytest.mark.parametrize(
    "statement",
    [
        'CREATE INDEX "by_time" ON "conversations_message" ("created_at")',
        "CREATE UNIQUE INDEX one ON conversations_message (id)",
        "DROP INDEX by_time",
        'ALTER TABLE "conversations_message" ADD CONSTRAINT "a" CHECK (role <> \'\')',
        "ALTER TABLE conversations_message ADD CONSTRAINT a FOREIGN KEY (user_id) REFERENCES accounts_user (id)",
        "ALTER TABLE conversations_message ADD COLUMN user_id uuid NULL REFERENCES accounts_user (id)",
        "ALTER TABLE conversations_message ADD COLUMN number int NULL UNIQUE",
        "ALTER TABLE conversations_message ADD COLUMN at timestamptz DEFAULT clock_timestamp() NOT NULL",
        "ALTER TABLE conversations_message ADD COLUMN key uuid DEFAULT (gen_random_uuid()) NOT NULL",
        "ALTER TABLE conversations_message ADD COLUMN size int GENERATED ALWAYS AS (length(content)) STORED",
        "ALTER TABLE conversations_message ALTER COLUMN content TYPE varchar(5)",
        "ALTER TABLE conversations_message ALTER COLUMN parent_id SET NOT NULL",
        "UPDATE conversations_message SET role = 'user'",
    ],
)
def test_what_locks_is_found(statement: str) -> None:
    assert list(faults([statement], is_atomic=False))


@pytest.mark.parametrize(
    "statements",
    [
        [
            "CREATE TABLE notes (id int)",
            "CREATE INDEX by_id ON notes (id)",
            "ALTER TABLE notes ADD CONSTRAINT a CHECK (true)",
        ],
        ["CREATE INDEX CONCURRENTLY by_time ON conversations_message (created_at)"],
        ["ALTER TABLE conversations_message ADD CONSTRAINT a CHECK (role <> '') NOT VALID"],
        ["ALTER TABLE conversations_message VALIDATE CONSTRAINT a"],
        ["ALTER TABLE conversations_message ADD COLUMN note text DEFAULT '' NOT NULL"],
        ["ALTER TABLE conversations_message ADD COLUMN note text NULL"],
    ],
)
def test_what_takes_a_moment_passes(statements: list[str]) -> None:
    assert list(faults(statements, is_atomic=True)) == []


def test_rows_are_not_looked_through_under_a_lock() -> None:
    both = ["ALTER TABLE a ADD CONSTRAINT b CHECK (c) NOT VALID", "ALTER TABLE a VALIDATE CONSTRAINT b"]
    assert list(faults(both, is_atomic=True))
    assert list(faults(both, is_atomic=False)) == []
