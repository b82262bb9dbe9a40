"""Formats of an export: one JSON document, one Markdown text, or a zip archive of such texts."""

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
    """A target for bytes, such as a file."""

    def write(self, data: bytes, /) -> Any:
        """Write all of the bytes to the target."""


class Writer(Protocol):
    """One file that is written conversation by conversation."""

    content_type: str
    suffix: str

    def begin(self, sink: Sink) -> None:
        """Write the file's beginning, before the first conversation."""

    def add(self, conversation: Conversation, sink: Sink) -> None:
        """Write one conversation; reads its messages meanwhile."""

    def end(self, sink: Sink) -> None:
        """Write the file's end, after the last conversation."""


class JsonWriter:
    """One JSON document. Each conversation begins a line, so that a reader finds the next one after a broken one."""

    content_type = "application/json"
    suffix = "json"

    def __init__(self) -> None:
        self._separator = "\n"

    def begin(self, sink: Sink) -> None:
        """Write the document's head: format, version, time."""
        head = {"format": FORMAT, "version": VERSION, "exported_at": written(timezone.now())}
        sink.write(f'{dumped(head)[:-1]}, "conversations": ['.encode())

    def add(self, conversation: Conversation, sink: Sink) -> None:
        """Write one conversation; its messages oldest first, on all branches."""
        sink.write(self._separator.encode())
        self._separator = ",\n"
        write_conversation(conversation_fields(conversation), conversation, sink, message_fields, between="\n ")

    def end(self, sink: Sink) -> None:
        """Close the document; a document without this end is incomplete."""
        sink.write(b"\n]}\n")


def write_conversation(
    fields: dict[str, Any],
    conversation: Conversation,
    sink: Sink,
    describe: Callable[[Message], dict[str, Any]],
    *,
    between: str = "",
) -> None:
    """Write a conversation with these fields, then its messages as described, with `between` before each."""
    sink.write(f'{dumped(fields)[:-1]}, "messages": ['.encode())
    messages = conversation.messages.select_related("generation", "feedback").oldest_first()
    separator = between
    for message in messages.iterator(MESSAGES_AT_A_TIME):
        sink.write(f"{separator}{dumped(describe(message))}".encode())
        separator = f",{between}"
    sink.write(b"]}")


class MarkdownWriter:
    """Writes one conversation as a Markdown text."""

    content_type = "text/markdown; charset=utf-8"
    suffix = "md"

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def begin(self, sink: Sink) -> None:
        """Write nothing: the text begins with the conversation's title."""

    def add(self, conversation: Conversation, sink: Sink) -> None:
        """Write the conversation's title and messages."""
        for text in markdown_text.paragraphs(conversation, self._zone):
            sink.write(f"{text}\n\n".encode())

    def end(self, sink: Sink) -> None:
        """Write nothing: the text ends with the last message."""


class ArchiveWriter:
    """Writes many conversations, each as a Markdown file in a zip archive."""

    content_type = "application/zip"
    suffix = "zip"

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._text = MarkdownWriter(zone)
        self._names: set[str] = set()

    def begin(self, sink: Sink) -> None:
        """Open the archive in append mode, so that the target need not support seeking."""
        self._archive = zipfile.ZipFile(_Pipe(sink), "w", zipfile.ZIP_DEFLATED)

    def add(self, conversation: Conversation, sink: Sink) -> None:
        """Write the conversation into a file of its own."""
        said_at = conversation.updated_at.astimezone(self._zone)
        moment = said_at.timetuple()[:6] if said_at.year >= OLDEST_ZIP_YEAR else (OLDEST_ZIP_YEAR, 1, 1, 0, 0, 0)
        entry = zipfile.ZipInfo(self._free_name(conversation), moment)
        entry.compress_type = zipfile.ZIP_DEFLATED
        # Permissions: the owner may read and write, everybody may read.
        entry.external_attr = 0o644 << 16
        with self._archive.open(entry, "w", force_zip64=True) as file:
            self._text.add(conversation, file)

    def end(self, sink: Sink) -> None:
        """Write the zip archive's central directory."""
        self._archive.close()

    def _free_name(self, conversation: Conversation) -> str:
        name = dated_name(conversation)
        if name.casefold() in self._names:
            name = f"{name} {conversation.pk.hex}"
        self._names.add(name.casefold())
        return f"{name}.md"


class _Pipe:
    """A file that only supports appending: without `tell`, the archive counts its bytes itself."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: bytes, /) -> int:
        self._sink.write(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing, because nothing is buffered."""

    def close(self) -> None:
        """Do nothing: the target is closed by its owner."""


def dumped(value: dict[str, Any]) -> str:
    """The value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False)


def dated_name(conversation: Conversation) -> str:
    """The conversation's day and title as a file name valid on any system, without a suffix."""
    title = shortened(" ".join(NO_NAME.sub(" ", conversation.title).split()), NAME_MAX_CHARS).strip()
    return f"{conversation.created_at.astimezone(UTC).date()} {title}".strip()


def collection_name(now: datetime) -> str:
    """Name for a file with many conversations, without a suffix."""
    return f"conversations {now.astimezone(UTC).date()}"
