"""`manage.py seed_demo`: add believable people and conversations, for demonstrations and measurements."""

import time
from random import Random
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from accounts.models import User
from chatbot.core import sql
from conversations.management import arguments
from conversations.management.operating import OperatorCommand
from conversations.management.progress import progress
from conversations.upkeep import seeding


class Command(OperatorCommand):
    """Writes by COPY, a few hundred conversations per transaction."""

    help = "Add people with realistic conversations. Needs --force unless DEBUG is true."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options for the numbers of people, conversations and messages."""
        add = parser.add_argument
        add("--users", type=arguments.count, default=10, metavar="N", help="people, such as 10 or 2k; default: 10")
        add("--conversations", type=arguments.count, default=200, metavar="N", help="default: 200")
        add("--messages", type=arguments.count, default=3_000, metavar="N", help="in total; default: 3000")
        add("--password", help="The password of the new people. Without it they cannot sign in.")
        add("--seed", type=int, default=None, metavar="N", help="The same number creates the same texts again.")
        add("--force", action="store_true", help="Run even if DEBUG is false.")

    def handle(self, *args: Any, users: int, conversations: int, messages: int, **options: Any) -> None:
        """Write the people and their conversations."""
        if not (settings.DEBUG or options["force"]):
            raise CommandError("DEBUG is false: this would add demo data to a real site. To do so, use --force.")
        if messages < 2 * conversations:
            raise CommandError(f"Each conversation needs two messages: ask for {2 * conversations:,} messages or more.")
        began = time.monotonic()
        chance = Random(options["seed"])  # noqa: S311 (not a secret)
        people = seeding.people(users, chance=chance, password=options["password"])
        with progress("messages", messages, self.stderr) as bar:
            for done in seeding.fill(people, conversations=conversations, messages=messages, chance=chance):
                bar.update(done)
        sql.run("ANALYZE")
        self.stdout.write(
            f"Added {users:,} people with {conversations:,} conversations and {messages:,} messages"
            f" in {time.monotonic() - began:.1f} s. The first signs in as {User.objects.get(pk=people[0]).email}."
        )
