"""Making a reply, following it, and what happens when either side goes away."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from conversations.actions import organizing, turns
from conversations.models import Conversation, Generation, Message, Status
from conversations.replies.engine import ReplyEngine
from tests.kit.provider import Gate, Raw, ScriptedProvider, Text, error, reply, stream
from tests.kit.provider.script import END
from tests.support.replying import (
    WAIT_SECONDS,
    gated,
    stored,
    text_at_end,
    until,
    until_stored,
)

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_watched_reply_is_made_and_stored(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(reply("Good day to you."))
    assert await text_at_end(engine, turn.reply) == "Good day to you."
    message = await stored(turn.reply)
    assert message.content == "Good day to you."
    generation = message.generation
    assert (generation.status, generation.draft) == (Status.COMPLETE, "")
    assert (generation.prompt_tokens, generation.completion_tokens) == (7, 4)
    times = (generation.started_at, generation.first_token_at, generation.finished_at)
    assert sorted(filter(None, times)) == list(times)


async def test_a_reply_is_asked_for_once_whoever_watches(
    turn: turns.Turn, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("Good ", "day"))
    watchers = [asyncio.create_task(text_at_end(one, turn.reply)) for one in (engine, engine, other_engine)]
    await until(engine, turn.reply, lambda text: text == "Good ")
    provider.gate("next0").open()
    assert await asyncio.gather(*watchers) == ["Good day"] * 3
    assert len(provider.chats) == 1


async def test_another_process_follows_the_draft_while_it_grows(
    turn: turns.Turn, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("Good ", "day"))
    engine.join(turn.reply.pk)
    await until(other_engine, turn.reply, lambda text: text == "Good ")
    provider.gate("next0").open()
    assert await text_at_end(other_engine, turn.reply) == "Good day"


async def test_a_reply_goes_on_without_viewers(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("Good ", "day"))
    await until(engine, turn.reply, lambda text: text == "Good ")
    provider.gate("next0").open()
    message = await until_stored(turn.reply, lambda message: message.generation.status == Status.COMPLETE)
    assert message.content == "Good day"


async def test_an_ended_reply_is_watched_as_it_is_stored(
    turn: turns.Turn, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(reply("Good day."))
    await text_at_end(engine, turn.reply)
    assert await text_at_end(other_engine, turn.reply) == "Good day."


async def test_stop_in_the_same_process_keeps_what_came(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("Good ", "day"))
    await until(engine, turn.reply, lambda text: text == "Good ")
    engine.stop(turn.reply.pk)
    assert await text_at_end(engine, turn.reply) == "Good "
    message = await stored(turn.reply)
    assert (message.content, message.generation.status) == ("Good ", Status.STOPPED)


async def test_stop_from_another_process_is_heard(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("Good ", "day"))
    await until(engine, turn.reply, lambda text: text == "Good ")
    await sync_to_async(turns.stop)(turn.reply)
    assert await text_at_end(engine, turn.reply) == "Good "
    assert (await stored(turn.reply)).generation.status == Status.STOPPED


async def test_stop_before_the_first_word_leaves_an_empty_stopped_reply(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(stream(Gate("first"), Text("Never"), *END))
    engine.join(turn.reply.pk)
    await asyncio.to_thread(provider.gate("first").wait_reached)
    engine.stop(turn.reply.pk)
    assert await text_at_end(engine, turn.reply) == ""
    assert (await stored(turn.reply)).generation.status == Status.STOPPED


async def test_a_failed_model_keeps_the_partial_text_and_says_why(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(stream(Text("Good ")))
    assert await text_at_end(engine, turn.reply) == "Good "
    message = await stored(turn.reply)
    assert (message.content, message.generation.status) == ("Good ", Status.FAILED)
    assert message.generation.error_code == "provider_broke_off"
    assert message.generation.sentence


async def test_a_retry_that_fails_at_once_keeps_the_text_of_the_first_try(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(stream(Text("Good ")), error(401, "no such key"))
    await text_at_end(engine, turn.reply)
    await sync_to_async(turns.retry)(turn.reply)
    await text_at_end(engine, turn.reply)
    message = await stored(turn.reply)
    assert (message.content, message.generation.error_code) == ("Good ", "provider_key")


async def test_a_reply_whose_worker_died_is_made_again_by_the_next_viewer(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    await Generation.objects.filter(pk=turn.reply.pk).aupdate(
        status=Status.RUNNING,
        worker="dead",
        draft="Half of an ol",
        heartbeat_at=timezone.now() - timedelta(seconds=16),
    )
    provider.play(reply("A new answer."))
    assert await text_at_end(engine, turn.reply) == "A new answer."


async def test_a_viewer_who_waits_takes_over_when_the_worker_falls_silent(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(reply("A new answer."))
    running = Generation.objects.filter(pk=turn.reply.pk)
    await running.aupdate(status=Status.RUNNING, worker="dying", draft="Half", heartbeat_at=timezone.now())
    watcher = asyncio.create_task(text_at_end(engine, turn.reply))
    await until(engine, turn.reply, lambda text: text == "Half")
    assert not provider.chats
    await running.aupdate(heartbeat_at=timezone.now() - timedelta(seconds=16))
    assert await watcher == "A new answer."


async def test_a_worker_that_was_replaced_does_not_write_over_its_successor(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("Old ", "answer"))
    await until(engine, turn.reply, lambda text: text == "Old ")
    await Generation.objects.filter(pk=turn.reply.pk).aupdate(
        worker="successor", draft="New", heartbeat_at=timezone.now()
    )
    await until(engine, turn.reply, lambda text: text == "New")
    provider.gate("next0").open()
    assert await asyncio.to_thread(provider.chats[0].over.wait, WAIT_SECONDS)
    assert (await stored(turn.reply)).generation.draft == "New"


async def test_a_process_that_ends_hands_its_reply_to_the_next(
    turn: turns.Turn, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("Good ", "day"), reply("Good evening."))
    await until(engine, turn.reply, lambda text: text == "Good ")
    await engine.shut_down()
    generation = (await stored(turn.reply)).generation
    assert (generation.status, generation.draft) == (Status.INTERRUPTED, "Good ")
    assert await text_at_end(other_engine, turn.reply) == "Good evening."


async def test_a_deleted_conversation_ends_its_reply_for_every_viewer(
    turn: turns.Turn, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("Good ", "day"))
    await until(engine, turn.reply, lambda text: text == "Good ")
    watchers = [asyncio.create_task(text_at_end(one, turn.reply)) for one in (engine, other_engine)]
    await turn.conversation.adelete()
    await asyncio.gather(*watchers)
    assert not await Message.objects.aexists()


async def test_a_conversation_in_the_trash_has_its_reply_stopped_and_kept(
    turn: turns.Turn, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("Good ", "day"))
    await until(engine, turn.reply, lambda text: text == "Good ")
    watchers = [asyncio.create_task(text_at_end(one, turn.reply)) for one in (engine, other_engine)]
    await sync_to_async(organizing.trash)(Conversation.objects.filter(pk=turn.conversation.pk))
    assert await asyncio.gather(*watchers) == ["Good ", "Good "]
    reply = await stored(turn.reply)
    assert (reply.content, reply.generation.status) == ("Good ", Status.STOPPED)


async def test_text_that_postgresql_cannot_store_does_not_lose_the_reply(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    half_a_pair = Raw(b'data: {"choices":[{"index":0,"delta":{"content":"\\ud800c"}}]}\n\n')
    provider.play(stream(Text("a\0b"), half_a_pair, *END))
    await text_at_end(engine, turn.reply)
    assert (await stored(turn.reply)).content == "ab\N{REPLACEMENT CHARACTER}c"
