"""Archives of pruned conversations: compressed lines of JSON, and their restoration.

A line is a conversation as in an export (docs/export-format.md), with its owner, its time in the trash, and the details
of failures that staff see. Each batch is a frame of its own whose first line names the format, so archives can be
appended to and joined with `cat`. A frame without its end was cut off while it was written: none of its conversations
had been removed.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from conversations.models import Conversation, Message
from conversations.transfer import checking
from conversations.transfer.checking import Refused
from conversations.transfer.documents import (
    FORMAT,
    VERSION,
    conversation_fields,
    generation_of,
    message_fields,
    written,
)
from conversations.transfer.exports import snapshot
from conversations.transfer.imports import NEWER, Import, UnusableFile
from conversations.transfer.writers import dumped, write_conversation
from conversations.upkeep.retention import GONE_AT

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

KIND = "chatbot-archive"
HEAD = b'{"format": '
LEVEL = 6
CHUNK = 256 * 1024
WINDOW_LOG_MAX = 23
"""Binary logarithm of the window size accepted in a frame, in bytes: four times what is written here."""

READING: dict[int, int] = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MAX}

NOT_AN_ARCHIVE = "This is not an archive of prune_conversations."


class Archive:
    """A file to which batches are appended, for a `with` block; cuts off what an interrupted run left incomplete.

    Raises `UnusableFile` for a file that is not an archive, and `OSError`.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        try:
            self._continue(path)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def _continue(self, path: Path) -> None:
        """Seek to the end of the last whole frame, and cut the rest off."""
        whole = whole_bytes(self._file)
        if not whole and path.stat().st_size and not is_beginning(self._file):
            raise UnusableFile(NOT_AN_ARCHIVE)
        self._file.truncate(whole)
        self._file.seek(whole)
        sync_folder(path)

    def add(self, keys: Iterable[UUID]) -> None:
        """Append these conversations in their current state; they are on the disk when this returns."""
        frame = _Frame(self._file)
        head = {"format": KIND, "version": VERSION, "archived_at": written(timezone.now())}
        frame.write(f"{dumped(head)}\n".encode())
        with snapshot():
            for conversation in Conversation.objects.filter(pk__in=list(keys)).select_related("user"):
                write_conversation(archived_fields(conversation), conversation, frame, archived_message)
                frame.write(b"\n")
        frame.end()
        self._file.flush()
        os.fsync(self._file.fileno())


class _Frame:
    """Writes bytes to the file as one compressed frame."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._compressor = zstd.ZstdCompressor(level=LEVEL)

    def write(self, data: bytes, /) -> None:
        self._file.write(self._compressor.compress(data))

    def end(self) -> None:
        self._file.write(self._compressor.flush())


def archived_fields(conversation: Conversation) -> dict[str, Any]:
    """A conversation's fields without its messages, with its owner."""
    trashed_at = conversation.trashed_at
    return {
        "owner": {"id": str(conversation.user_id), "email": conversation.user.email},
        **conversation_fields(conversation),
        "trashed_at": None if trashed_at == GONE_AT else written(trashed_at),
    }


def archived_message(message: Message) -> dict[str, Any]:
    """A message's fields as in an export, with the technical cause of a failure and the request's id."""
    fields = message_fields(message)
    generation = generation_of(message)
    if generation:
        for_staff = {"error_detail": generation.error_detail, "request_id": generation.request_id}
        fields["generation"] |= {name: value for name, value in for_staff.items() if value}
    return fields


def whole_bytes(file: IO[bytes]) -> int:
    """Number of bytes at the beginning of the file that are whole frames."""
    file.seek(0)
    whole = place = 0
    frame = decompressor()
    while data := file.read(CHUNK):
        while data:
            try:
                _pass_over(frame, data)
            except zstd.ZstdError:
                return whole
            if not frame.eof:
                place += len(data)
                break
            place += len(data) - len(frame.unused_data)
            whole, data = place, frame.unused_data
            frame = decompressor()
    return whole


def decompressor() -> zstd.ZstdDecompressor:
    """A decompressor for one frame."""
    return zstd.ZstdDecompressor(options=READING)


def _pass_over(frame: zstd.ZstdDecompressor, data: bytes) -> None:
    """Skip the frame's contents in small parts: a few bytes may decompress to gigabytes."""
    frame.decompress(data, CHUNK)
    while not (frame.eof or frame.needs_input):
        frame.decompress(b"", CHUNK)


def is_beginning(file: IO[bytes]) -> bool:
    """Whether the file is the beginning of a frame that an interruption cut off."""
    file.seek(0)
    try:
        decompressor().decompress(file.read(CHUNK), CHUNK)
    except zstd.ZstdError:
        return False
    return True


def sync_folder(path: Path) -> None:
    """Write the file's directory entry to the disk."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Reader(Import):
    """An archive that is being restored: each conversation to its owner, unchanged, unless it exists."""

    def __init__(self, file: IO[bytes]) -> None:
        """Find the whole frames of `file`. Raises `UnusableFile` when there are none."""
        whole = whole_bytes(file)
        self.unfinished = file.seek(0, os.SEEK_END) - whole
        """Bytes at the file's end that are not a whole frame."""
        if not whole:
            raise UnusableFile(NOT_AN_ARCHIVE)
        # The file names each conversation's owner.
        super().__init__(User(), BufferedReader(_Document(file, whole)))

    def _find(self, fields: dict[str, Any]) -> Conversation | None:
        self._user = _owner(fields.get("owner"))
        key = checking.key(fields.get("id"), "Its “id”")
        found: Conversation | None = Conversation.objects.filter(pk=key).first()
        if found and found.user_id != self._user.pk:
            raise Refused("Its “id” belongs to somebody else's conversation.")
        if found and found.trashed_at == GONE_AT:
            # This is what an interrupted prune left of the conversation.
            found.delete()
            return None
        return found

    def _message(self, value: Any, number: int) -> dict[str, Any]:
        return checking.message(value, number)

    def _columns(self, fields: dict[str, Any]) -> dict[str, Any]:
        trashed_at = checking.optional(checking.moment, fields.get("trashed_at"), "Its “trashed_at”")
        return super()._columns(fields) | {"trashed_at": trashed_at}

    def _insert(self, checked: dict[str, Any]) -> Conversation:
        try:
            with transaction.atomic():
                return self._insert_as(checked, derive=False)
        except IntegrityError:
            raise Refused("Some of its messages already exist in another conversation.") from None


def _owner(fields: Any) -> User:
    """The person described by the archive's fields: by key, or by e-mail address when the account was made again."""
    if not isinstance(fields, dict):
        raise Refused("It has no owner.")
    key, email = (
        checking.key(fields.get("id"), "Its owner's “id”"),
        checking.text(fields.get("email"), "Its owner", 254),
    )
    found = User.objects.filter(pk=key).first() or User.objects.filter(email=email).first()
    if found is None:
        raise Refused(f"Its owner, {email}, no longer has an account here.")
    return found


class _Document(RawIOBase):
    """The lines of the file's first `size` bytes as one document of the export format."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._parts = self._read(zstd.ZstdFile(BufferedReader(_Beginning(file, size)), options=READING))
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._left = self._left or next(self._parts, b"")
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count

    @staticmethod
    def _read(lines: zstd.ZstdFile) -> Iterator[bytes]:
        head = {"format": FORMAT, "version": VERSION}
        yield f'{dumped(head)[:-1]}, "conversations": ['.encode()
        separator, is_first = b"\n", True
        # A line may be very long, so it is read in parts.
        while part := lines.readline(CHUNK):
            if is_first and part.startswith(HEAD):
                check_head(part)
                continue
            yield separator + part.rstrip(b"\n") if is_first else part.rstrip(b"\n")
            is_first = part.endswith(b"\n")
            separator = b",\n"
        yield b"\n]}\n"


class _Beginning(RawIOBase):
    """The first `size` bytes of a file, as a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        file.seek(0)
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(len(buffer), self._left))
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


def check_head(line: bytes) -> None:
    """Raise `UnusableFile` unless a frame with this first line can be read."""
    try:
        head = json.loads(line)
    except ValueError:
        head = {}
    if head.get("format") != KIND:
        raise UnusableFile(NOT_AN_ARCHIVE)
    if head.get("version") != VERSION:
        raise UnusableFile(NEWER)
