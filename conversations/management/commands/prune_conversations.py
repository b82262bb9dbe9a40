"""`manage.py prune_conversations`: permanently remove old conversations, and those past their days in the trash."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from conversations.management import arguments
from conversations.management.arguments import Age
from conversations.management.exits import ANOTHER_RUNS, TIME_IS_UP
from conversations.management.operating import OperatorCommand
from conversations.management.progress import progress
from conversations.transfer.archives import Archive
from conversations.transfer.imports import UnusableFile
from conversations.upkeep import locks, retention
from conversations.upkeep.retention import Removed, Rules, Share

UNSAID = "State an age, such as --older-than 90d, or set CHAT_RETENTION_DAYS. For the trash alone: --trash-only."


class Interrupted(Exception):
    """A signal asked the command to end."""


class TimeIsUp(Exception):
    """The command has used up its time."""


@dataclass(slots=True)
class Summary:
    """What one run of the command removed."""

    conversations: int = 0
    messages: int = 0
    seconds: float = 0.0
    ended: str = "failed"
    """How the run ended: `done`, `time is up`, `interrupted` or `failed`."""
    others: dict[str, int] = field(default_factory=dict)
    """Rows of other apps, by the names that the setting `PRUNED_TOO` gives them."""

    def add(self, removed: Removed) -> None:
        """Add what one transaction removed."""
        self.conversations += removed.conversations
        self.messages += removed.messages


class Command(OperatorCommand):
    """Removes conversations in bounded batches; it may be ended and run again at any moment."""

    help = (
        "Permanently remove conversations whose last message is old, and expired ones in the trash. "
        "Exit codes: 0 all done, 1 failed, 3 time was up, 4 another prune is running, 130 or 143 interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Options for what to remove, and how."""
        add = parser.add_argument
        add("--older-than", type=arguments.age, metavar="AGE", help="such as 90d or 2y; default: CHAT_RETENTION_DAYS")
        parser.add_argument(
            "--keep-pinned", action="store_true", default=True, help="Keep pinned conversations. This is the default."
        )
        add("--no-keep-pinned", action="store_false", dest="keep_pinned", help="Remove pinned conversations too.")
        add("--include-running", action="store_true", help="Remove conversations with a reply in progress too.")
        add("--trash-only", action="store_true", help="Remove only what has been in the trash for CHAT_TRASH_DAYS.")
        add("--user", metavar="E-MAIL", help="Remove only this person's.")
        add("--dry-run", action="store_true", help="Show what would be removed, and remove nothing.")
        add("--archive-to", type=Path, metavar="FILE", help="First append it to this file, such as 2026-01.jsonl.zst.")
        add("--batch-size", type=arguments.count, default=retention.BATCH, metavar="N", help="messages per transaction")
        add("--max-seconds", type=arguments.duration, metavar="S", help="Start no batch after this: 90, 15min, 1h.")
        add("--json", action="store_true", help="Write the summary as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Remove the conversations that are due."""
        rules = self._rules(options)
        if options["dry_run"]:
            others = {name: rows.count() for name, rows in others_due(rules).items()}
            self._say_shares(list(retention.shares(rules)), others, as_json=options["json"])
            return
        with locks.alone(retention.LOCK) as is_alone:
            if not is_alone:
                raise CommandError("Another prune is running. Wait for it to end.", returncode=ANOTHER_RUNS)
            summary = Summary()
            try:
                code = self._prune(rules, options, summary)
            finally:
                # Report what is removed, however the run ended.
                self._say_summary(summary, as_json=options["json"])
        if code:
            raise SystemExit(code)

    def _rules(self, options: dict[str, Any]) -> Rules:
        age: Age | None = options["older_than"]
        if options["trash_only"]:
            if age:
                raise CommandError("--trash-only and --older-than exclude each other.")
        elif age is None:
            if not settings.CHAT_RETENTION_DAYS:
                raise CommandError(UNSAID)
            age = arguments.age(f"{settings.CHAT_RETENTION_DAYS}d")
        return Rules(
            before=age.before(timezone.now()) if age else None,
            user=arguments.person(options["user"]) if options["user"] else None,
            pinned=not options["keep_pinned"],
            running=options["include_running"],
        )

    def _prune(self, rules: Rules, options: dict[str, Any], summary: Summary) -> int:
        """Remove what is due, and count it; returns the exit code."""
        began = time.monotonic()
        limit, size = options["max_seconds"], options["batch_size"]
        try:
            with (
                asked_to_end() as look,
                archived(options["archive_to"]) as archive,
                progress("conversations", rules.due().count(), self.stderr) as bar,
            ):
                for batch in retention.batches(rules, size=size):
                    look()
                    if archive:
                        archive.add(found.key for found in batch)
                    for removed in retention.remove(batch, rules, size=size):
                        summary.add(removed)
                        bar.update(removed.conversations)
                        look()
                        if limit is not None and time.monotonic() - began >= limit:
                            raise TimeIsUp
                for name, rows in others_due(rules).items():
                    for count in removed_others(rows, size):
                        summary.others[name] = summary.others.get(name, 0) + count
                        look()
        except TimeIsUp:
            summary.ended = "time is up"
            return TIME_IS_UP
        except Interrupted as signalled:
            summary.ended = "interrupted"
            return 128 + int(signalled.args[0])
        finally:
            summary.seconds = round(time.monotonic() - began, 3)
        summary.ended = "done"
        return 0

    def _say_summary(self, summary: Summary, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(asdict(summary)))
            return
        self.stdout.write(
            f"Removed {summary.conversations:,} conversations with {summary.messages:,} messages"
            f" in {summary.seconds:.1f} s ({summary.ended})."
        )
        for name, count in summary.others.items():
            self.stdout.write(f"Removed {count:,} deleted {name}.")

    def _say_shares(self, shares: list[Share], others: dict[str, int], *, as_json: bool) -> None:
        conversations, messages, size = (
            sum(getattr(share, name) for share in shares) for name in ("conversations", "messages", "bytes")
        )
        if as_json:
            total = {"conversations": conversations, "messages": messages, "bytes": size, "others": others}
            self.stdout.write(json.dumps(total | {"shares": [asdict(share) for share in shares]}))
            return
        for share in shares:
            self.stdout.write(
                f"{share.month}  {share.conversations:>9,} conversations {share.messages:>11,} messages"
                f" {arguments.size(share.bytes):>11}  {share.email}"
            )
        self.stdout.write(
            f"Would remove {conversations:,} conversations with {messages:,} messages, {arguments.size(size)}."
        )
        for name, count in others.items():
            if count:
                self.stdout.write(f"Would remove {count:,} deleted {name}.")


def others_due(rules: Rules) -> dict[str, QuerySet[Any]]:
    """Rows of other apps that are past their days, by the names that the setting `PRUNED_TOO` gives them."""
    return {name: import_string(function)(rules.user) for name, function in settings.PRUNED_TOO.items()}


def removed_others(rows: QuerySet[Any], size: int) -> Iterator[int]:
    """Remove rows that other apps keep no longer, in transactions of at most `size`; yields how many each removed."""
    while keys := list(rows.order_by().values_list("pk", flat=True)[:size]):
        yield rows.filter(pk__in=keys).delete()[0]


@contextmanager
def archived(path: Path | None) -> Iterator[Archive | None]:
    """The archive at this path, or None without a path. Raises `CommandError` for a file that is not an archive."""
    if path is None:
        yield None
        return
    try:
        with Archive(path) as archive:
            yield archive
    except (OSError, UnusableFile) as error:
        raise CommandError(f"{path} cannot be written to, and nothing more was removed: {error}") from error


@contextmanager
def asked_to_end() -> Iterator[Callable[[], None]]:
    """A function that raises `Interrupted` once SIGINT or SIGTERM has arrived; a second signal ends the process.

    Raised by the signal handler itself, it would come in the middle of a statement, whose effect would be unknown.
    """
    asked: list[int] = []

    def hear(number: int, frame: Any) -> None:
        asked.append(number)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def look() -> None:
        if asked:
            raise Interrupted(asked[0])

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield look
    finally:
        restore()
