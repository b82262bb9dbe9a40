"""Checks of the database: its version, migrations, indexes, and harmful settings."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import RunSQL

from chatbot.core import readiness, sql
from conversations.management.doctor.findings import Finding, failure, ok, some, warning

OLDEST_POSTGRES = 15

MUST_BE_ON = {
    "fsync": "A crash of the machine would lose messages and may destroy the database.",
    "full_page_writes": "A crash of the machine may destroy the database.",
    "autovacuum": "Tables and indexes would grow without end.",
    "synchronous_commit": "A crash of the machine would lose the last messages.",
}

MUST_BE_OFF = {
    "jit": "Statements are compiled first, which takes longer than running them: the site turns that off for each of"
    " its connections, and something between here and the server turns it on again.",
}

TELLS_STATEMENTS = {
    "log_statement": ("none", "ddl"),
    "log_min_duration_statement": ("-1",),
    "log_min_duration_sample": ("-1",),
    "log_transaction_sample_rate": ("0",),
    "log_parameter_max_length_on_error": ("0",),
    "auto_explain.log_min_duration": ("-1",),
}
"""Settings that log statements -> values that do not; statements contain text of messages."""

INDEXES = """
SELECT tables.relname, names.relname, indisvalid, indisunique AND indpred IS NULL, ARRAY(
    SELECT attname FROM unnest(indkey) WITH ORDINALITY AS keys (number, place)
    JOIN pg_attribute ON attrelid = indrelid AND attnum = number ORDER BY place
)::text[]
FROM pg_index JOIN pg_class AS names ON names.oid = indexrelid JOIN pg_class AS tables ON tables.oid = indrelid
"""
MADE = re.compile(r"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?(\w+)", re.IGNORECASE)
RENAMED = re.compile(r"\bALTER\s+INDEX\s+(?:IF\s+EXISTS\s+)?(\w+)\s+RENAME\s+TO\s+(\w+)", re.IGNORECASE)
DROPPED = re.compile(r"\bDROP\s+INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+EXISTS\s+)?(\w+)", re.IGNORECASE)


class Setting(NamedTuple):
    """One of the server's settings."""

    name: str
    value: str


class Index(NamedTuple):
    """An index as the database has it."""

    table: str
    name: str
    is_valid: bool
    is_unique: bool
    """Of all rows, not only of some."""
    columns: list[str]


def database() -> Iterator[Finding]:
    """Whether the database can be reached, is recent, matches models and migrations, and is set safely."""
    version = int(sql.value("SHOW server_version_num")) // 10_000
    values = dict(sql.rows(Setting, "SELECT name, setting FROM pg_settings"))
    yield of_version(version)
    if pending := readiness.pending_migrations():
        yield failure(f"database: migrations are not applied: {some(pending)}", "Run `manage.py migrate`.")
    else:
        yield ok("database: every migration is applied")
    if lacking := lacking_indexes():
        yield failure(
            f"database: missing or invalid indexes: {some(lacking)}",
            "`manage.py sqlmigrate` shows how each was made; an invalid one is dropped and made again CONCURRENTLY.",
        )
    else:
        yield ok("database: every index is there")
    yield from of_settings(values)


def of_version(version: int) -> Finding:
    """Finding for PostgreSQL's major version."""
    if version < OLDEST_POSTGRES:
        return failure(f"database: PostgreSQL {version} is too old", f"Upgrade it to {OLDEST_POSTGRES} or newer.")
    return ok(f"database: PostgreSQL {version}")


def of_settings(values: dict[str, str]) -> Iterator[Finding]:
    """Findings for the server's settings, given by name as in `pg_settings`."""
    found = [
        warning(f"database: {name} is {values[name]}", f"{why} Set {name} to on in postgresql.conf.")
        for name, why in MUST_BE_ON.items()
        if values[name] == "off"
    ]
    found += [
        warning(f"database: {name} is {values[name]}", f"{why} Set {name} to off in postgresql.conf.")
        for name, why in MUST_BE_OFF.items()
        if values[name] == "on"
    ]
    pool = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    if int(values["max_connections"]) < pool + 10:
        found.append(
            warning(
                f"database: max_connections is {values['max_connections']}, one process may take {pool}",
                "Raise it, or lower DATABASE_POOL_SIZE: processes times pool size, and ten for yourself.",
            )
        )
    if values["log_min_error_statement"] not in {"panic", "fatal"}:
        found.append(
            warning(
                "database: refused statements are logged with their values, which may be what people said",
                "Set log_min_error_statement to panic and log_error_verbosity to terse.",
            )
        )
    found += [
        warning(
            f"database: {name} is {values[name]}: statements are logged with what people said",
            f"Set {name} to {good[0]} in postgresql.conf.",
        )
        for name, good in TELLS_STATEMENTS.items()
        if values.get(name, good[0]) not in good
    ]
    yield from found or [ok("database: settings")]


def lacking_indexes() -> list[str]:
    """Indexes that are missing, invalid or misplaced: by name, or by table and columns."""
    valid = [index for index in sql.rows(Index, INDEXES) if index.is_valid]
    names = {index.name for index in valid}
    unique = {(index.table, *index.columns) for index in valid if index.is_unique}
    led = {(index.table, index.columns[0]) for index in valid if index.columns}
    lacking = {name for name in expected_indexes() if name not in names}
    for model in own_models():
        table = model._meta.db_table
        for field in model._meta.local_concrete_fields:
            place = (table, field.column)
            if (field.unique and place not in unique) or (field.db_index and place not in led):
                lacking.add(f"{table} ({field.column})")
        for fields in model._meta.unique_together:
            columns = [model._meta.get_field(name).column for name in fields]
            if (table, *columns) not in unique:
                lacking.add(f"{table} ({', '.join(columns)})")
    return sorted(lacking)


def expected_indexes() -> set[str]:
    """Names of the indexes and unique constraints that models declare, and of those that migrations create."""
    names = of_migrations()
    for model in own_models():
        names |= {index.name for index in model._meta.indexes}
        names |= {constraint.name for constraint in model._meta.constraints if hasattr(constraint, "deferrable")}
    return names


def of_migrations() -> set[str]:
    """Names of the indexes that migrations create with SQL of their own."""
    names = set[str]()
    graph = MigrationLoader(None).graph
    for leaf in graph.leaf_nodes():
        for key in graph.forwards_plan(leaf):
            for operation in graph.nodes[key].operations:
                for statement in statements(operation):
                    names -= set(DROPPED.findall(statement))
                    names |= set(MADE.findall(statement))
                    for before, after in RENAMED.findall(statement):
                        names = (names - {before}) | {after}
    return names


def statements(operation: Any) -> Iterator[str]:
    """SQL statements of an operation; none for operations whose SQL Django generates."""
    for inner in getattr(operation, "database_operations", ()):
        yield from statements(inner)
    if isinstance(operation, RunSQL):
        parts = [operation.sql] if isinstance(operation.sql, str) else operation.sql
        for part in parts:
            yield part if isinstance(part, str) else part[0]


def own_models() -> list[Any]:
    """The models that have a table in this database."""
    every = apps.get_models(include_auto_created=True)
    return [model for model in every if model._meta.managed and not model._meta.proxy]
