"""`manage.py erase_user`: remove a person and everything that is theirs, with a receipt."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from conversations.management import arguments
from conversations.management.operating import OperatorCommand
from conversations.management.receipts import ReceiptFile
from conversations.upkeep import erasure
from conversations.upkeep.erasure import NotErased

NOT_REACHED = (
    "Not removed: the site's own logs, whose lines name the person as {key}, until they are rotated;"
    " logs of proxies; backups; archives of prune_conversations; what is written to Sentry and traces; what the model's"
    " provider keeps."
)


class Command(OperatorCommand):
    """Erases one person and reports what was removed."""

    help = "Permanently remove a person: account, conversations, sessions, what the audit log says about them."

    def add_arguments(self, parser: CommandParser) -> None:
        """The person's e-mail address, and the options."""
        parser.add_argument("email", metavar="E-MAIL")
        parser.add_argument("--dry-run", action="store_true", help="Show what would be removed, and remove nothing.")
        parser.add_argument("--receipt", type=Path, metavar="FILE", help="Write what was removed to this new file.")

    def handle(self, *args: Any, email: str, dry_run: bool, receipt: Path | None, **options: Any) -> None:
        """Erase the person, and write the receipt."""
        user = arguments.person(email)
        key = user.pk
        if dry_run:
            self._say(erasure.traces(user))
            self.stdout.write(f"All this data of {user.email} would be removed.")
            return
        try:
            # The receipt is begun first, so that a file that cannot be written is noticed before anything is removed.
            file = ReceiptFile(receipt) if receipt else None
            found = file.begin(user, erasure.traces(user)) if file else None
        except OSError as error:
            raise CommandError(f"The receipt cannot be written, and nothing was removed: {error}") from error
        try:
            written = erasure.erase(user, found=found)
        except NotErased as error:
            raise CommandError(f"Not everything could be removed: {error}. Run it again.") from error
        try:
            if file:
                file.complete(written)
        except OSError as error:
            raise CommandError(f"{written.email} is removed, but the receipt cannot be written: {error}") from error
        self._say(written.removed)
        self.stdout.write(f"Removed {written.email}. Nothing is left in {len(written.looked_at)} tables.")
        self.stdout.write(NOT_REACHED.format(key=key))

    def _say(self, counts: dict[str, int]) -> None:
        for label, count in sorted(counts.items()):
            if count:
                self.stdout.write(f"{count:>11,}  {label}")
