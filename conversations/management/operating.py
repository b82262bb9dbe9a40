"""What all commands for operators have in common."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from psycopg import Error
from psycopg_pool import PoolTimeout

from conversations.management.exits import INTERRUPTED


class OperatorCommand(BaseCommand):
    """A command that ends with one sentence when the database fails or it is interrupted; `--traceback` shows where."""

    interrupted = "Its work so far is kept. Run it again for the rest."
    """What is true when somebody has pressed Ctrl-C."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run it. Raises `CommandError`."""
        try:
            return super().execute(*args, **options)
        except (DatabaseError, Error, PoolTimeout) as error:
            # Further lines may hold the values of a row.
            said = next(iter(str(error).splitlines()), "")
            raise CommandError(f"The database ended the command: {said or type(error).__name__}") from error
        except KeyboardInterrupt as error:
            raise CommandError(f"Interrupted. {self.interrupted}", returncode=INTERRUPTED) from error
