"""Who may go on watching a reply."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.test import AsyncClient
from django.urls import reverse

from accounts.models import User
from conversations.actions import turns
from conversations.replies import dispatch, streams
from tests.kit.provider import ScriptedProvider
from tests.support.replying import WAIT_SECONDS, gated, until_stored

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def ask_always(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Look before each frame whether the viewer is signed in; end the loop's engine with the test."""
    monkeypatch.setattr(streams, "SESSION_INTERVAL", 0.0)
    yield
    await dispatch.engine().shut_down()


async def watched(user: User, turn: turns.Turn, *, before_each: Callable[[], object] = str) -> str:
    """All that the person's browser is sent, with something done before each further piece."""
    client = AsyncClient()
    await client.aforce_login(user)
    response: Any = await client.get(reverse("message-stream", args=[turn.reply.pk]))
    seen = ""
    async for piece in response.streaming_content:
        seen += piece.decode()
        await sync_to_async(before_each)()
    return seen


async def test_who_signs_out_sees_no_more_and_the_reply_goes_on(
    turn: turns.Turn, user: User, provider: ScriptedProvider
) -> None:
    provider.play(gated("One ", "two"))
    seen = await watched(user, turn, before_each=Session.objects.all().delete)
    assert "event: end" not in seen
    provider.gate("next0").open()
    assert (await until_stored(turn.reply, lambda message: bool(message.content))).content == "One two"


async def test_who_stays_signed_in_sees_the_end(turn: turns.Turn, user: User, provider: ScriptedProvider) -> None:
    provider.play(gated("One ", "two"))
    seen = await watched(user, turn, before_each=provider.gate("next0").open)
    assert "event: end" in seen


async def test_an_account_that_is_closed_sees_no_more(turn: turns.Turn, user: User, provider: ScriptedProvider) -> None:
    provider.play(gated("One ", "two"))
    close = User.objects.filter(pk=user.pk)
    seen = await watched(user, turn, before_each=lambda: close.update(is_active=False))
    assert "event: end" not in seen


async def test_a_database_that_is_away_sends_nobody_away() -> None:
    def ask() -> bool:
        raise OperationalError("the database is away")

    assert await streams.may_stay(dispatch.engine(), ask)


async def test_a_reply_that_stands_still_is_looked_at_in_time(
    turn: turns.Turn, user: User, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the seconds that a stream may outlive its viewer's sign-out, though the model says nothing."""
    monkeypatch.setattr(streams, "SESSION_INTERVAL", 0.2)
    monkeypatch.setattr(streams, "PATIENCE_LEAST", 0.1)
    provider.play(gated("One ", "two"))
    seen = await asyncio.wait_for(watched(user, turn, before_each=Session.objects.all().delete), WAIT_SECONDS)
    assert "event: end" not in seen
    provider.gate("next0").open()


def test_a_stream_ends_within_fifteen_seconds() -> None:
    assert streams.SESSION_INTERVAL + streams.PATIENCE_LEAST + streams.FRAME_INTERVAL_MAX < 15
