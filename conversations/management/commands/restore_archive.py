"""`manage.py restore_archive`: restore what `prune_conversations --archive-to` has removed."""

from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from conversations.management.operating import OperatorCommand
from conversations.transfer import staging
from conversations.transfer.archives import Reader
from conversations.transfer.imports import Outcome, UnusableFile
from conversations.upkeep import locks, retention


class Command(OperatorCommand):
    """Restores whole conversations under their own keys; existing ones are not changed."""

    help = "Restore the conversations of an archive. Running it again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        """The path of the archive to restore."""
        parser.add_argument("file", type=Path, help="a file that --archive-to wrote")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        """Restore each conversation of the archive."""
        with locks.alone(retention.LOCK) as is_alone:
            if not is_alone:
                raise CommandError("A prune is running. Wait for it to end.")
            try:
                with file.open("rb") as source:
                    outcomes = self._restore(Reader(source))
            except (OSError, UnusableFile) as error:
                raise CommandError(f"{file} cannot be restored: {error}") from error
        self.stdout.write(
            f"Restored {outcomes[Outcome.IMPORTED]:,} conversations;"
            f" {outcomes[Outcome.HERE] + outcomes[Outcome.TRASHED]:,} were here."
        )
        if failed := outcomes[Outcome.FAILED]:
            raise CommandError(f"{failed:,} could not be restored: see above.")

    def _restore(self, reader: Reader) -> Counter[Outcome]:
        if reader.unfinished:
            self.stderr.write(
                "The end of the archive is incomplete: writing it was interrupted."
                " The conversations in it were not removed."
            )
        outcomes = Counter[Outcome]()
        for result in reader.results():
            outcomes[result.outcome] += 1
            if result.outcome == Outcome.FAILED:
                self.stderr.write(f"{result.number}. {result.title}: {result.reason}")
        staging.drop()
        return outcomes
