"""A stored turn, and the engines of two processes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections
from pytest_django import Settings

from accounts.models import User
from conversations.actions import turns
from conversations.replies import engine as engine_module
from conversations.replies.engine import ReplyEngine
from tests.kit.provider import ScriptedProvider


@pytest.fixture
def midday(settings: Settings) -> None:
    """It is about noon where the site is: no day ends in the middle of a test."""
    settings.TIME_ZONE = f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"


@pytest.fixture
def turn(user: User, provider: ScriptedProvider, settings: Settings) -> turns.Turn:
    """A stored turn whose reply the provider will make."""
    settings.OPENAI_BASE_URL = provider.url
    settings.CHAT_RETRIES = 0
    # A database that has just started lets everybody live for a while: no worker could be found dead.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(greatest(0, 16 - extract(epoch FROM now() - pg_postmaster_start_time())))")
    return turns.send(user, text="Hello")


@pytest.fixture
async def engine() -> AsyncIterator[ReplyEngine]:
    """A process's engine."""
    made = ReplyEngine()
    yield made
    await made.shut_down()


@pytest.fixture
async def other_engine() -> AsyncIterator[ReplyEngine]:
    """The engine of another process."""
    made = ReplyEngine()
    yield made
    await made.shut_down()


@pytest.fixture(autouse=True)
async def short_intervals(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Look and save more often than a server does."""
    monkeypatch.setattr(engine_module, "CHECKPOINT_INTERVAL", 0.05)
    monkeypatch.setattr(engine_module, "FOLLOW_INTERVAL", 0.05)
    yield
    # The thread in which the ORM's asynchronous methods run keeps its connection otherwise.
    await sync_to_async(connections.close_all)()
