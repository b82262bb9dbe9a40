"""`manage.py usage`: report replies and tokens, by person, model or day."""

import csv
import json
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce, TruncDate

from conversations.management import arguments
from conversations.management.operating import OperatorCommand
from conversations.models import Generation, Status

KEYS = {"user": F("message__user__email"), "model": F("model"), "day": TruncDate("message__created_at")}
COLUMNS = ("people", "conversations", "replies", "failed", "prompt_tokens", "completion_tokens")


class Command(OperatorCommand):
    """Adds up replies and tokens since a date."""

    help = "Count replies and tokens by person, model or day (UTC)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options for the period, the grouping and the format."""
        add = parser.add_argument
        add("--since", type=arguments.since, default="30d", metavar="WHEN", help="2026-01-31 or 90d; default: 30d")
        add("--by", choices=KEYS, default="day", help="what each line counts; default: day")
        formats = parser.add_mutually_exclusive_group()
        formats.add_argument("--json", action="store_true", help="a JSON list of objects")
        formats.add_argument("--csv", action="store_true", help="comma-separated values with a header")

    def handle(self, *args: Any, by: str, **options: Any) -> None:
        """Write a line for each person, model or day."""
        since = options["since"]
        found = (
            # The first condition is implied by the second one, but has an index.
            Generation.objects.filter(conversation__updated_at__gte=since, message__created_at__gte=since)
            .values(what=KEYS[by])
            .annotate(
                people=Count("message__user", distinct=True),
                conversations=Count("conversation", distinct=True),
                replies=Count("pk"),
                failed=Count("pk", filter=Q(status=Status.FAILED)),
                used_for_prompts=Coalesce(Sum("prompt_tokens"), 0),
                used_for_replies=Coalesce(Sum("completion_tokens"), 0),
            )
            .order_by("what")
            .values_list("what", "people", "conversations", "replies", "failed", "used_for_prompts", "used_for_replies")
        )
        rows = [(str(key), *counts) for key, *counts in found]
        head = (by, *COLUMNS)
        if options["json"]:
            self.stdout.write(json.dumps([dict(zip(head, row, strict=True)) for row in rows]))
        elif options["csv"]:
            csv.writer(self.stdout).writerows([head, *rows])
        else:
            self._table([head, *((row[0], *(f"{count:,}" for count in row[1:])) for row in rows)])

    def _table(self, rows: list[tuple[str, ...]]) -> None:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for key, *counts in rows:
            numbers = (count.rjust(width) for count, width in zip(counts, widths[1:], strict=True))
            self.stdout.write("  ".join((key.ljust(widths[0]), *numbers)))
