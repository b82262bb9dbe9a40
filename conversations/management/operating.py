"""What all commands for operators have in common."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from psycopg import Error
from psycopg_pool import PoolTimeout


class OperatorCommand(BaseCommand):
    """A command that fails with one sentence when the database does; `--traceback` shows where."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run it. Raises `CommandError`."""
        try:
            return super().execute(*args, **options)
        except (DatabaseError, Error, PoolTimeout) as error:
            # Further lines may hold the values of a row.
            said = next(iter(str(error).splitlines()), "")
            raise CommandError(f"The database ended it: {said or type(error).__name__}") from error
