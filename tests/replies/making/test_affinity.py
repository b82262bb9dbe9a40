"""When a process begins a reply with its turn, and when it leaves that to the one that is asked for the stream."""

from uuid import uuid4

import pytest

from conversations.actions import turns
from conversations.replies import affinity
from conversations.replies.affinity import Affinity
from conversations.replies.engine import ReplyEngine
from tests.kit.provider import ScriptedProvider, reply
from tests.support.replying import text_at_end, until_stored

pytestmark = pytest.mark.django_db(transaction=True)


def test_streams_are_expected_until_one_goes_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Affinity()
    seen.stored(uuid4())
    assert seen.is_likely()
    monkeypatch.setattr(affinity, "PATIENCE_SECONDS", -1.0)
    assert not seen.is_likely()


def test_streams_are_expected_again_after_several_that_came(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Affinity()
    seen.stored(uuid4())
    monkeypatch.setattr(affinity, "PATIENCE_SECONDS", -1.0)
    assert not seen.is_likely()
    monkeypatch.setattr(affinity, "PATIENCE_SECONDS", 10.0)
    for turn in (uuid4() for _ in range(8)):
        seen.stored(turn)
        seen.watched(turn)
    assert seen.is_likely()


async def test_an_expected_reply_is_made_before_anybody_watches(
    engine: ReplyEngine, provider: ScriptedProvider, turn: turns.Turn
) -> None:
    provider.play(reply("Good day."))
    engine.expect(turn.reply.pk)
    await until_stored(turn.reply, lambda stored: stored.content == "Good day.")


async def test_after_a_stream_went_elsewhere_a_reply_waits_for_its_viewer(
    engine: ReplyEngine, provider: ScriptedProvider, turn: turns.Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.play(reply("Good day."))
    monkeypatch.setattr(affinity, "PATIENCE_SECONDS", -1.0)
    engine.expect(uuid4())
    engine.expect(turn.reply.pk)
    monkeypatch.setattr(affinity, "PATIENCE_SECONDS", 10.0)
    assert not provider.chats
    assert await text_at_end(engine, turn.reply) == "Good day."
    assert len(provider.chats) == 1
