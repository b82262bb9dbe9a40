"""`manage.py doctor`: what is wrong with this installation, and what to do about it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chatbot.web import probe
from conversations.management import arguments
from conversations.management.doctor import proxy, site
from conversations.management.doctor.findings import Level

PAUSE_MIN = 1.0
"""Seconds: a shorter one would not tell a stream that is held back from one that is not."""


class Command(BaseCommand):
    """Looks at everything that a chat needs, each a line; fails if any of it does not work."""

    help = "Check settings, database, model, static files, clock and mail; with the public URL, the proxies too."
    # It runs the checks itself, and goes on when one fails.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Where people reach the site."""
        parser.add_argument("url", nargs="?", metavar="URL", help="such as https://chat.example.org")
        parser.add_argument(
            "--pause",
            type=arguments.duration,
            default=proxy.PAUSE,
            metavar="S",
            help="how long a stream is silent in the test, 1s to 60s; default: 20s",
        )

    def handle(self, *args: Any, url: str | None, pause: float, **options: Any) -> None:
        """Write a line for each check, and below it what to do."""
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
