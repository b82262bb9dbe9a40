"""Exports written piece by piece: bounded in memory, without a database connection between two pieces."""

import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO

from django.db import transaction

from chatbot.core import sql
from chatbot.core.cursors import Cursor
from chatbot.core.process import Part
from chatbot.core.threads import DatabaseThreads
from conversations.models import Conversation, ConversationQuerySet
from conversations.transfer.writers import Writer

PIECE = 256 * 1024
"""Bytes that are written before they are sent; one conversation, however long, is always one piece."""

IN_MEMORY = 4 * PIECE
"""Bytes of a piece that are kept in memory; larger pieces use a temporary file."""

READ_BYTES = 64 * 1024
CONVERSATIONS_AT_A_TIME = 50
WELCOME_SECONDS = 10.0
THREADS = 2


threads = Part(lambda: DatabaseThreads(THREADS, "export"))
"""The threads of this process in which exports read the database: few, to leave room for others."""


async def pieces(
    conversations: ConversationQuerySet, writer: Writer, *, is_welcome: Callable[[], bool]
) -> AsyncGenerator[bytes]:
    """The file's bytes; the database is read only after the reader has taken the bytes before.

    Raises what the database raises when it is away. The file then lacks its end, and the browser reports it. It also
    ends early when `is_welcome` returns False; this is called every few seconds and may use the database.
    """
    export = Export(conversations, writer)
    asked = time.monotonic()
    with SpooledTemporaryFile(IN_MEMORY) as spool:
        goes_on = True
        while goes_on:
            if time.monotonic() - asked >= WELCOME_SECONDS:
                asked = time.monotonic()
                if not await threads().run(is_welcome):
                    return
            goes_on = await threads().run(export.write_piece, spool)
            spool.seek(0)
            while data := spool.read(READ_BYTES):
                yield data
            spool.seek(0)
            spool.truncate()


class Export:
    """The state of an export in progress."""

    def __init__(self, conversations: ConversationQuerySet, writer: Writer) -> None:
        self._conversations = conversations
        self._writer = writer
        self._place: Cursor | None = None
        self._sink = _Sink()

    def write_piece(self, spool: IO[bytes]) -> bool:
        """Write the next piece; returns whether there is more. Each conversation is written from one snapshot."""
        self._sink.target = spool
        if self._place is None:
            self._writer.begin(self._sink)
        with snapshot():
            for conversation in self._next():
                self._writer.add(conversation, self._sink)
                self._place = Cursor(conversation.created_at, conversation.pk)
                if spool.tell() >= PIECE:
                    return True
        self._writer.end(self._sink)
        return False

    def _next(self) -> Iterator[Conversation]:
        while batch := list(in_order(self._conversations, self._place)[:CONVERSATIONS_AT_A_TIME]):
            yield from batch


class _Sink:
    """Passes bytes to a `target` that changes, so that a writer can keep one object."""

    target: IO[bytes]

    def write(self, data: bytes) -> int:
        return self.target.write(data)


def in_order(conversations: ConversationQuerySet, place: Cursor | None) -> ConversationQuerySet:
    """Conversations after the cursor by creation, oldest first: an order that nothing changes during an export."""
    if place:
        conversations = conversations.filter(created_at__gte=place.time)
        conversations = conversations.exclude(created_at=place.time, id__lte=place.key)
    return conversations.order_by("created_at", "id")


@contextmanager
def snapshot() -> Iterator[None]:
    """A transaction that sees one snapshot of the database and writes nothing."""
    with transaction.atomic():
        sql.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
