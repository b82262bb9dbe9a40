"""`manage.py doctor`: what is wrong with this installation, and what to do about it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from conversations.management.doctor import proxy, site
from conversations.management.doctor.findings import Level


class Command(BaseCommand):
    """Looks at everything that a chat needs, each a line; fails if any of it does not work."""

    help = (
        "Check settings, database, model, static files, clock and mail; with the public URL, the way through proxies."
    )
    # It runs the checks itself, and goes on when one fails.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Where people reach the site."""
        parser.add_argument("url", nargs="?", metavar="URL", help="such as https://chat.example.org")
        parser.add_argument(
            "--pause",
            type=float,
            default=proxy.PAUSE,
            metavar="S",
            help="seconds of silence that a stream must survive",
        )

    def handle(self, *args: Any, url: str | None, pause: float, **options: Any) -> None:
        """Write a line for each check, and below it what to do."""
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
