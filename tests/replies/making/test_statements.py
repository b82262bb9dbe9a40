"""How often a process asks the database while replies are being made: once a tick for all of them."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from accounts.models import User
from conversations.actions import turns
from conversations.replies import leases
from conversations.replies.engine import ReplyEngine
from tests.kit.provider import END, Gate, ScriptedProvider, Text, stream
from tests.support.replying import WAIT_SECONDS, text_at_end, until

pytestmark = pytest.mark.django_db(transaction=True)

REPLIES = 5
TICKS = 4


class Record:
    """What an engine asks the database from now on: `(function, rows asked about, statements)` for each time."""

    def __init__(self, engine: ReplyEngine) -> None:
        self.asked: list[tuple[object, int, int]] = []
        self._more = asyncio.Event()
        self._run = engine.database
        engine.database = self.run

    async def run[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what the engine's own does, and count."""
        statements = list[str]()

        def note(execute: Any, sql: str, *rest: Any) -> Any:
            statements.append(sql)
            return execute(sql, *rest)

        def counted() -> T:
            with connection.execute_wrapper(note):
                return function(*args, **kwargs)

        result = await self._run(counted)
        rows = args[0] if args else None
        self.asked.append((function, len(rows) if isinstance(rows, list) else 1, len(statements)))
        self._more.set()
        return result

    async def ticks(self) -> list[tuple[object, int, int]]:
        """The next few."""
        self.asked.clear()
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.asked) < TICKS:
                self._more.clear()
                await self._more.wait()
        return self.asked[:TICKS]


async def test_all_replies_are_saved_in_one_statement_and_followed_in_one(
    user: User, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider, settings: Any
) -> None:
    settings.OPENAI_BASE_URL = provider.url
    provider.always(stream(Text("Good "), Gate("rest"), Text("day"), *END))
    asked = [await sync_to_async(turns.send)(user, text=f"Hello {number}") for number in range(REPLIES)]
    for turn in asked:
        await until(engine, turn.reply, lambda text: text == "Good ")
    making = Record(engine)
    assert await making.ticks() == [(leases.checkpoint, REPLIES, 1)] * TICKS
    watching = [asyncio.create_task(text_at_end(other_engine, turn.reply)) for turn in asked]
    for turn in asked:
        await until(other_engine, turn.reply, lambda text: text == "Good ")
    following = Record(other_engine)
    assert await following.ticks() == [(leases.progress_of, REPLIES, 1)] * TICKS
    # However many watch: those of one process see what it knows.
    assert (await making.ticks())[-1] == (leases.checkpoint, REPLIES, 1)
    provider.gate("rest").open()
    assert await asyncio.gather(*watching) == ["Good day"] * REPLIES
