"""`manage.py doctor`: find faults of this installation, with advice on each."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chatbot.web import probe
from conversations.management import arguments
from conversations.management.doctor import proxy, site
from conversations.management.doctor.findings import Level

PAUSE_MIN = 1.0
"""Seconds; with a shorter pause a delayed stream could not be told from a live one."""


class Command(BaseCommand):
    """Checks everything that the chat needs, one line each; fails if anything does not work."""

    help = "Check settings, database, model, static files, clock and mail; with the public URL, the proxies too."
    # The command runs Django's checks itself, and continues when one fails.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """The public address of the site, and the length of a pause."""
        parser.add_argument("url", nargs="?", metavar="URL", help="such as https://chat.example.org")
        parser.add_argument(
            "--pause",
            type=arguments.duration,
            default=proxy.PAUSE,
            metavar="S",
            help="how long a stream is silent in the test, 1s to 60s; default: 20s",
        )

    def handle(self, *args: Any, url: str | None, pause: float, **options: Any) -> None:
        """Write a line for each check, and advice below it."""
        if not PAUSE_MIN <= pause <= probe.PAUSE_MAX:
            raise CommandError(f"--pause must be between {PAUSE_MIN:g}s and {probe.PAUSE_MAX:g}s.")
        styles = {Level.OK: self.style.SUCCESS, Level.WARNING: self.style.WARNING, Level.FAILURE: self.style.ERROR}
        worst = 0
        for checks in (site.everything(), proxy.everything(url.rstrip("/"), pause=pause) if url else ()):
            for finding in checks:
                self.stdout.write(f"{styles[finding.level](f'{finding.level:<8}')} {finding.what}")
                if finding.advice:
                    self.stdout.write(f"{'':8} {finding.advice}")
                worst += finding.level == Level.FAILURE
        if worst:
            raise SystemExit(1)
