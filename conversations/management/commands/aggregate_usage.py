"""`manage.py aggregate_usage`: count usage for the dashboard."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from conversations.management import arguments
from conversations.management.exits import ANOTHER_RUNS, TIME_IS_UP
from conversations.management.operating import OperatorCommand
from conversations.usage import counting
from conversations.usage.counting import Counted


class Command(OperatorCommand):
    """Counts usage in bounded batches; it may be ended and run again at any moment."""

    help = (
        "Add up turns, people, tokens, times and errors for the dashboard, from where the last count ended. "
        "Exit codes: 0 all counted, 1 failed, 3 time was up, 4 another count is running."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Options for the run's duration and the batches' size."""
        add = parser.add_argument
        add("--max-seconds", type=arguments.duration, metavar="S", help="Start no batch after this: 90, 15min, 1h.")
        add("--batch-size", type=arguments.count, default=counting.BATCH, metavar="N", help="replies per transaction")

    def handle(self, *args: Any, max_seconds: float | None, batch_size: int, **options: Any) -> None:
        """Count the replies that ended since the last run."""
        seconds = float("inf") if max_seconds is None else max_seconds
        counted = counting.catch_up(seconds=seconds, batch=batch_size)
        if counted is Counted.ELSEWHERE:
            raise CommandError("Another count is running. Wait for it to end.", returncode=ANOTHER_RUNS)
        self.stdout.write(f"Counted up to {counting.counted_to():%Y-%m-%d %H:%M} UTC.")
        if counted is Counted.SOME:
            raise SystemExit(TIME_IS_UP)
