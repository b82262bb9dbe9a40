"""Helpers for tests of replies: watch, wait, lock rows."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.db.models import QuerySet

from conversations.models import Message
from conversations.replies.engine import ReplyEngine
from tests.kit.provider import Gate, Script, Text, stream
from tests.kit.provider.script import END

WAIT_SECONDS = 60.0


async def text_at_end(engine: ReplyEngine, message: Message) -> str:
    async with asyncio.timeout(WAIT_SECONDS):
        async for live in engine.watch(message.pk):
            if live.ended:
                return live.text
    raise AssertionError("the watch ended before the reply")


async def until(engine: ReplyEngine, message: Message, condition: Callable[[str], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        async for live in engine.watch(message.pk):
            if condition(live.text):
                return


@sync_to_async
def stored(message: Message) -> Message:
    return Message.objects.select_related("generation").get(pk=message.pk)


async def until_stored(message: Message, condition: Callable[[Message], bool]) -> Message:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            found = await stored(message)
            if condition(found):
                return found


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll until the condition holds, in synchronous tests. Fails after `WAIT_SECONDS`."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline


@contextmanager
def locked(rows: QuerySet[Any]) -> Iterator[None]:
    """Lock these rows in another session, for a `with` block: statements that need them wait."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            list(rows.select_for_update())
            held.set()
            release.wait()
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(WAIT_SECONDS)
        yield
    finally:
        release.set()
        thread.join()


@sync_to_async
def waiting_sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


async def until_a_statement_waits() -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not await waiting_sessions():
            pass


@sync_to_async
def execute(sql: str, *parameters: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def gated(*pieces: str) -> Script:
    """An answer that waits at a gate before each piece but the first."""
    steps: list[Text | Gate] = [Text(pieces[0])]
    for number, piece in enumerate(pieces[1:]):
        steps += [Gate(f"next{number}"), Text(piece)]
    return stream(*steps, *END)
