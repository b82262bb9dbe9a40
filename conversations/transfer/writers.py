"""The files that an export can be: one JSON document, one Markdown text, or an archive of such texts."""

import json
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol

from django.utils import timezone

from conversations.models import Conversation, Message
from conversations.models.titles import shortened
from conversations.transfer import markdown_text
from conversations.transfer.documents import FORMAT, VERSION, conversation_fields, message_fields, written

MESSAGES_AT_A_TIME = 100
NAME_MAX_CHARS = 80
OLDEST_ZIP_YEAR = 1980
NO_NAME = re.compile(r"[^\w\- ]+")


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> Any:
        """Take the bytes."""


class Writer(Protocol):
    """One file that is written conversation by conversation."""

    content_type: str
    suffix: str

    def begin(self, sink: Sink) -> None:
        """Write what comes before the first conversation."""

    def add(self, conversation: Conversation, sink: Sink) -> None:
        """Write one conversation, reading its messages as it goes."""

    def end(self, sink: Sink) -> None:
        """Write what comes after the last one."""


class JsonWriter:
    """One JSON document. Each conversation begins a line, so that a reader finds the next one behind a broken one."""

    content_type = "application/json"
    suffix = "json"

    def __init__(self) -> None:
        self._separator = "\n"

    def begin(self, sink: Sink) -> None:
        """Write what kind of file this is."""
        head = {"format": FORMAT, "version": VERSION, "exported_at": written(timezone.now())}
        sink.write(f'{dumped(head)[:-1]}, "conversations": ['.encode())

    def add(self, conversation: Conversation, sink: Sink) -> None:
        """Write one conversation; its messages oldest first, whatever their branch."""
        sink.write(self._separator.encode())
        self._separator = ",\n"
        write_conversation(conversation_fields(conversation), conversation, sink, message_fields, between="\n ")

    def end(self, sink: Sink) -> None:
        """Close the document: one that lacks its end is not whole."""
        sink.write(b"\n]}\n")


def write_conversation(
    fields: dict[str, Any],
    conversation: Conversation,
    sink: Sink,
    describe: Callable[[Message], dict[str, Any]],
    *,
    between: str = "",
) -> None:
    """Write a conversation that has these fields, then its messages as described, with `between` before each."""
    sink.write(f'{dumped(fields)[:-1]}, "messages": ['.encode())
    messages = conversation.messages.select_related("generation", "feedback").oldest_first()
    separator = between
    for message in messages.iterator(MESSAGES_AT_A_TIME):
        sink.write(f"{separator}{dumped(describe(message))}".encode())
        separator = f",{between}"
    sink.write(b"]}")


class MarkdownWriter:
    """One conversation as Markdown."""

    content_type = "text/markdown; charset=utf-8"
    suffix = "md"

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def begin(self, sink: Sink) -> None:
        """Nothing comes before the title."""

    def add(self, conversation: Conversation, sink: Sink) -> None:
        """Write the conversation."""
        for text in markdown_text.paragraphs(conversation, self._zone):
            sink.write(f"{text}\n\n".encode())

    def end(self, sink: Sink) -> None:
        """Nothing comes after the last message."""


class ArchiveWriter:
    """Many conversations, each a Markdown file in a zip archive."""

    content_type = "application/zip"
    suffix = "zip"

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._text = MarkdownWriter(zone)
        self._names: set[str] = set()

    def begin(self, sink: Sink) -> None:
        """Open the archive. It only ever appends, so it needs no file that can be gone back in."""
        self._archive = zipfile.ZipFile(_Pipe(sink), "w", zipfile.ZIP_DEFLATED)

    def add(self, conversation: Conversation, sink: Sink) -> None:
        """Write the conversation into a file of its own."""
        said_at = conversation.updated_at.astimezone(self._zone)
        moment = said_at.timetuple()[:6] if said_at.year >= OLDEST_ZIP_YEAR else (OLDEST_ZIP_YEAR, 1, 1, 0, 0, 0)
        entry = zipfile.ZipInfo(self._free_name(conversation), moment)
        entry.compress_type = zipfile.ZIP_DEFLATED
        # Read and write for the owner, read for all, as for any other file.
        entry.external_attr = 0o644 << 16
        with self._archive.open(entry, "w", force_zip64=True) as file:
            self._text.add(conversation, file)

    def end(self, sink: Sink) -> None:
        """Write the archive's directory."""
        self._archive.close()

    def _free_name(self, conversation: Conversation) -> str:
        name = dated_name(conversation)
        if name.casefold() in self._names:
            name = f"{name} {conversation.pk.hex}"
        self._names.add(name.casefold())
        return f"{name}.md"


class _Pipe:
    """A file to which one can only append: without `tell`, the archive counts for itself."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: bytes, /) -> int:
        self._sink.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Where the bytes go closes itself."""


def dumped(value: dict[str, Any]) -> str:
    """The value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False)


def dated_name(conversation: Conversation) -> str:
    """The conversation's day and title as a file's name on any system, without a suffix."""
    title = shortened(" ".join(NO_NAME.sub(" ", conversation.title).split()), NAME_MAX_CHARS).strip()
    return f"{conversation.created_at.astimezone(UTC).date()} {title}".strip()


def collection_name(now: datetime) -> str:
    """The name of a file with many conversations, without a suffix."""
    return f"conversations {now.astimezone(UTC).date()}"
