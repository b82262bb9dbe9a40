"""The base class of all commands for operators."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from psycopg import Error
from psycopg_pool import PoolTimeout

from conversations.management.exits import INTERRUPTED


class OperatorCommand(BaseCommand):
    """A command that reports a failed database or an interruption in one sentence; `--traceback` shows where."""

    interrupted = "Its work so far is kept. Run it again for the rest."
    """The sentence that follows “Interrupted.” after Ctrl-C."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command. Raises `CommandError` for a failed database or an interruption."""
        try:
            return super().execute(*args, **options)
        except (DatabaseError, Error, PoolTimeout) as error:
            # Further lines may contain the values of a row.
            said = next(iter(str(error).splitlines()), "")
            raise CommandError(f"The database ended the command: {said or type(error).__name__}") from error
        except KeyboardInterrupt as error:
            raise CommandError(f"Interrupted. {self.interrupted}", returncode=INTERRUPTED) from error
