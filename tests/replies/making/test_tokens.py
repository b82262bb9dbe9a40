"""What a reply counts toward the limits of its person."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from conversations.actions import turns
from conversations.models import Conversation, TurnWindow
from conversations.replies.engine import ReplyEngine
from tests.kit.provider import END, Gate, ScriptedProvider, error, reply, stream
from tests.support.replying import WAIT_SECONDS, gated, stored, text_at_end, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("midday")]


@sync_to_async
def counted(turn: turns.Turn) -> tuple[int, int]:
    """Messages and tokens of the person's day."""
    window = TurnWindow.objects.get(pk=turn.message.user_id)
    return window.day_messages, window.day_tokens


async def test_the_providers_numbers_are_counted_when_the_reply_ends(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(reply("Good day"))
    assert await text_at_end(engine, turn.reply) == "Good day"
    generation = (await stored(turn.reply)).generation
    assert generation.prompt_tokens
    assert generation.completion_tokens
    assert await counted(turn) == (1, generation.prompt_tokens + generation.completion_tokens)


async def test_a_stopped_reply_counts_an_estimate_and_a_failed_one_nothing(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_SYSTEM_PROMPT = ""
    provider.play(gated("One ", "two."), error(400, "no"))
    await until(engine, turn.reply, lambda text: text == "One ")
    engine.stop(turn.reply.pk)
    await text_at_end(engine, turn.reply)
    assert (await stored(turn.reply)).generation.prompt_tokens is None
    assert await counted(turn) == (1, 10 + 10)
    await sync_to_async(turns.retry)(turn.reply)
    await text_at_end(engine, turn.reply)
    assert await counted(turn) == (2, 20)


async def test_a_reply_that_is_stopped_before_its_first_word_counts_what_was_asked(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_SYSTEM_PROMPT = ""
    provider.play(stream(Gate("never"), *END))
    engine.join(turn.reply.pk)
    await asyncio.to_thread(provider.wait_for_requests, 1, WAIT_SECONDS)
    engine.stop(turn.reply.pk)
    await text_at_end(engine, turn.reply)
    assert await counted(turn) == (1, 10)
    assert await asyncio.to_thread(provider.chats[0].over.wait, WAIT_SECONDS)


async def test_deleting_a_conversation_while_it_is_answered_does_not_hide_what_was_used(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("One ", "two."))
    await until(engine, turn.reply, lambda text: text == "One ")
    await sync_to_async(Conversation.objects.all().delete)()
    async with asyncio.timeout(WAIT_SECONDS):
        while (await counted(turn))[1] == 0:
            pass
    assert await asyncio.to_thread(provider.chats[0].over.wait, WAIT_SECONDS)
