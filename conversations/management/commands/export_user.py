"""`manage.py export_user`: export everything of a person, in open formats, as one zip archive."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from accounts.models import User
from conversations.management import arguments
from conversations.management.operating import OperatorCommand
from conversations.models import Conversation, Feedback, Generation, Message
from conversations.transfer.exports import in_order, snapshot
from conversations.transfer.writers import ArchiveWriter, JsonWriter
from conversations.upkeep import erasure

IN_CONVERSATIONS = {Conversation, Message, Generation, Feedback}
SECRETS = {"password", "key", "digest"}
ENTRY = ("action_time", "action_flag", "content_type__model", "object_id", "object_repr", "change_message")
"""Fields of a log entry without its author, who is another person."""
README = """All data of {email} in this chat, as of {now:%Y-%m-%d %H:%M} UTC.

conversations.json   all conversations with all branches, including the trash; can be imported again
conversations.zip    the same conversations as Markdown
records.json         every other row that points at the account, such as tasks, by table; when sessions end,
                     without their keys; and what the admin's log says about the person, without who did it
"""


class Command(OperatorCommand):
    """Exports everything of one person to a file."""

    interrupted = "The file is not there; run it again."
    help = "Export all data of a person to a new zip archive, as JSON and Markdown."

    def add_arguments(self, parser: CommandParser) -> None:
        """The person's e-mail address and the file."""
        parser.add_argument("email", metavar="E-MAIL")
        parser.add_argument("file", type=Path, metavar="FILE.zip")

    def handle(self, *args: Any, email: str, file: Path, **options: Any) -> None:
        """Write the archive, whole or not at all."""
        user = arguments.person(email)
        unfinished = file.with_name(f"{file.name}.unfinished")
        try:
            if file.exists():
                raise FileExistsError(f"{file} already exists")
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
                with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive, snapshot():
                    count = write(user, archive)
                target.flush()
                os.fsync(target.fileno())
            unfinished.rename(file)
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error}") from error
        self.stdout.write(f"Wrote {count:,} conversations of {user.email} to {file}.")


def write(user: User, archive: zipfile.ZipFile) -> int:
    """Write everything of the person; returns the number of conversations."""
    archive.writestr("README.txt", README.format(email=user.email, now=timezone.now()))
    archive.writestr("records.json", json.dumps(records(user), cls=DjangoJSONEncoder, indent=2, ensure_ascii=False))
    conversations = in_order(Conversation.objects.filter(user=user), None)
    for writer in (JsonWriter(), ArchiveWriter(timezone.get_default_timezone())):
        with archive.open(f"conversations.{writer.suffix}", "w", force_zip64=True) as sink:
            writer.begin(sink)
            for conversation in conversations.iterator(50):
                writer.add(conversation, sink)
            writer.end(sink)
    return conversations.count()


def records(user: User) -> dict[str, list[dict[str, Any]]]:
    """Rows about the person outside conversations, by model; without secrets."""
    pointing = {
        model._meta.label: [
            {name: value for name, value in row.items() if name not in SECRETS} for row in rows.values()
        ]
        for model, rows in erasure.belongings(user)
        if model not in IN_CONVERSATIONS
    }
    about = LogEntry.objects.filter(pk__in=erasure.log_entries(user)).order_by("pk")
    return pointing | {
        "admin.LogEntry (about the person)": list(about.values(*ENTRY)),
        "sessions.Session": list(Session.objects.filter(pk__in=erasure.sessions(user)).values("expire_date")),
    }
