"""Django's PostgreSQL backend with a server of its own, which the first connection starts."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base
from django.db.backends.postgresql import client as postgresql_client
from django.db.utils import OperationalError
from psycopg import errors, sql

from chatbot.embedded.locks import EmbeddedServiceError
from chatbot.embedded.postgres.cluster import SUPERUSER, installation
from chatbot.embedded.service import SharedService

DEFAULT_USER = "chatbot"
"""The role that owns the database, when the settings name none; it may create databases, for tests."""


class DatabaseClient(postgresql_client.DatabaseClient):
    """`manage.py dbshell` with the psql that belongs to the server."""

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        """The command line and the environment of psql; starts the server."""
        _complete(settings_dict)
        arguments, environment = super().settings_to_cmd_args_env(settings_dict, parameters)
        return [str(installation() / "bin/psql"), *arguments[1:]], environment


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to the embedded server, whose data is in `settings.EMBEDDED_DIR`/postgres.

    `settings.EMBEDDED_POSTGRES_SETTINGS`, a dict of server settings, may be set to tune the server; it counts for
    the process that starts it. Raises `OperationalError`, with a sentence, when the server cannot be started.
    """

    client_class = DatabaseClient

    def get_connection_params(self) -> dict[str, Any]:
        """Parameters for psycopg; Django asks for them before each connection, including pooled ones."""
        _complete(self.settings_dict)
        return super().get_connection_params()


def _complete(settings_dict: dict[str, Any]) -> None:
    """Start the server, create role and database if missing, and fill in the server's address."""
    options = getattr(settings, "EMBEDDED_POSTGRES_SETTINGS", {})
    service = _service(Path(settings.EMBEDDED_DIR).resolve(), tuple(sorted(options.items())))
    try:
        server = service.ensure()
    except EmbeddedServiceError as error:
        raise OperationalError(str(error)) from error
    user = settings_dict["USER"] or DEFAULT_USER
    settings_dict.update(HOST=server["host"], PORT=server["port"], USER=user)
    # Checked once per run of the server: a role or database that vanishes meanwhile is an error to report.
    _make_missing(server["run"], server["host"], server["port"], user, settings_dict["NAME"] or "")


@cache
def _service(directory: Path, options: tuple[tuple[str, str], ...]) -> SharedService:
    return SharedService(
        "The embedded PostgreSQL",
        directory / "postgres",
        "chatbot.embedded.postgres.cluster:Cluster",
        dict(options),
        "To use a PostgreSQL server of your own instead, set DATABASE_URL.",
    )


@cache
def _make_missing(run: str, host: str, port: str, user: str, name: str) -> None:
    """Create the role and, unless `name` is empty, its database if missing; `run` distinguishes runs of the server."""
    try:
        with psycopg.connect(host=host, port=port, user=SUPERUSER, dbname="postgres", autocommit=True) as connection:
            found = connection.execute(
                "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s),"
                " EXISTS (SELECT FROM pg_database WHERE datname = %s)",
                [user, name],
            ).fetchone()
            has_role, has_database = found or (False, False)
            if not has_role:
                _unless_made_meanwhile(
                    connection, sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(sql.Identifier(user))
                )
            if name and not has_database:
                statement = sql.SQL("CREATE DATABASE {} OWNER {}")
                _unless_made_meanwhile(connection, statement.format(sql.Identifier(name), sql.Identifier(user)))
    except psycopg.OperationalError as error:
        raise OperationalError(*error.args) from error


def _unless_made_meanwhile(connection: psycopg.Connection[Any], statement: sql.Composed) -> None:
    try:
        connection.execute(statement)
    except (errors.DuplicateDatabase, errors.DuplicateObject, errors.UniqueViolation):
        return
