"""What the model thinks before it answers: kept beside the reply, shown to every viewer, told to nobody else."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from conversations.actions import turns
from conversations.models import Generation, Message, Status
from conversations.replies.engine import ReplyEngine
from conversations.replies.live import LiveReply
from tests.kit.provider import CATALOGUE, END, Gate, Reasoning, ScriptedProvider, Text, error, reply, stream
from tests.support.replying import WAIT_SECONDS, stored, text_at_end, until, until_stored

pytestmark = pytest.mark.django_db(transaction=True)

THINKING = stream(
    Reasoning("Let me "), Reasoning("think."), Gate("thought"), Text("Forty-"), Gate("said"), Text("two."), *END
)


async def until_reasoning(engine: ReplyEngine, message: Message, text: str) -> LiveReply:
    async with asyncio.timeout(WAIT_SECONDS):
        async for live in engine.watch(message.pk):
            if live.reasoning.text == text:
                return live
    raise AssertionError("the watch ended before the thought")


async def until_drafted(message: Message, text: str) -> None:
    await until_stored(message, lambda found: found.generation.draft == text)


@pytest.mark.parametrize("name", ["reasoning", "think"])
async def test_reasoning_is_stored_beside_the_reply(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, name: str
) -> None:
    provider.play(CATALOGUE[name])
    assert await text_at_end(engine, turn.reply) == "Forty-two."
    message = await stored(turn.reply)
    assert message.content == "Forty-two."
    assert message.generation.reasoning == "Let me think."
    assert message.generation.reasoning_seconds is not None


async def test_a_reply_without_reasoning_stores_none(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(stream(Text("<think>\n\n</think>\n\nForty-two."), *END))
    assert await text_at_end(engine, turn.reply) == "Forty-two."
    generation = (await stored(turn.reply)).generation
    assert (generation.reasoning, generation.reasoning_seconds) == ("", None)


async def test_another_process_follows_the_reasoning_while_it_grows(
    turn: turns.Turn, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(THINKING)
    engine.join(turn.reply.pk)
    live = await until_reasoning(other_engine, turn.reply, "Let me think.")
    assert live.reasoning.title == "Thinking…"
    provider.gate("thought").open()
    await until(other_engine, turn.reply, lambda text: text == "Forty-")
    assert live.reasoning.title.startswith("Thought for")
    assert live.restarts == 0
    provider.gate("said").open()
    assert await text_at_end(other_engine, turn.reply) == "Forty-two."


UNMARKED = stream(
    Text("The user asks "),
    Gate("thinking"),
    Text("about the sky.\n</thi"),
    Gate("tag"),
    Text("nk>\n\nIt is "),
    Gate("said"),
    Text("blue."),
    *END,
)


async def test_reasoning_without_a_mark_at_its_beginning_moves_once_its_end_comes(
    turn: turns.Turn, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(UNMARKED)
    engine.join(turn.reply.pk)
    for gate, text in (("thinking", "The user asks "), ("tag", "The user asks about the sky.\n"), ("said", "It is ")):
        await until(engine, turn.reply, text.__eq__)
        await until(other_engine, turn.reply, text.__eq__)
        await until_drafted(turn.reply, text)
        provider.gate(gate).open()
    assert await text_at_end(other_engine, turn.reply) == "It is blue."
    message = await stored(turn.reply)
    assert (message.content, message.generation.status) == ("It is blue.", Status.COMPLETE)
    assert message.generation.reasoning == "The user asks about the sky."
    assert message.generation.reasoning_seconds is not None


async def test_reasoning_without_a_mark_is_no_text_though_nothing_follows(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(stream(Text("Hm."), Gate("thinking"), Text("</think>"), *END))
    engine.join(turn.reply.pk)
    await until_stored(turn.reply, lambda message: message.generation.draft == "Hm.")
    provider.gate("thinking").open()
    assert await text_at_end(engine, turn.reply) == ""
    message = await stored(turn.reply)
    assert (message.content, message.generation.reasoning) == ("", "Hm.")
    assert message.generation.error_code == "empty_reply"


async def test_the_reasoning_is_not_sent_back_to_the_model(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(CATALOGUE["think"], reply("Yes."))
    await text_at_end(engine, turn.reply)
    following = await sync_to_async(turns.send)(turn.message.user, text="Sure?", conversation=turn.conversation)
    await text_at_end(engine, following.reply)
    assert b"Let me" not in provider.chats[1].body
    assert "Let me" not in turn.conversation.title


async def test_a_stopped_reply_keeps_its_reasoning(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(THINKING)
    await until_reasoning(engine, turn.reply, "Let me think.")
    engine.stop(turn.reply.pk)
    assert await text_at_end(engine, turn.reply) == ""
    generation = (await stored(turn.reply)).generation
    assert (generation.status, generation.reasoning) == (Status.STOPPED, "Let me think.")
    assert generation.reasoning_seconds is not None


async def test_a_reply_that_was_only_reasoning_fails_and_keeps_the_reasoning(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(stream(Reasoning("I wonder"), *END))
    await text_at_end(engine, turn.reply)
    generation = (await stored(turn.reply)).generation
    assert (generation.error_code, generation.reasoning) == ("empty_reply", "I wonder")


async def test_a_retry_forgets_the_reasoning(turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider) -> None:
    provider.play(stream(Reasoning("I wonder"), Text("Half")), error(401, "no such key"))
    await text_at_end(engine, turn.reply)
    await sync_to_async(turns.retry)(turn.reply)
    generation = (await stored(turn.reply)).generation
    assert (generation.reasoning, generation.reasoning_seconds) == ("", None)


async def test_reasoning_handed_back_is_replaced_by_that_of_the_next_maker(
    turn: turns.Turn, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(THINKING, reply("At once."))
    await until_reasoning(engine, turn.reply, "Let me think.")
    await engine.shut_down()
    generation = (await stored(turn.reply)).generation
    assert (generation.status, generation.reasoning) == (Status.INTERRUPTED, "Let me think.")
    assert await text_at_end(other_engine, turn.reply) == "At once."
    assert (await stored(turn.reply)).generation.reasoning == ""


async def test_the_reasoning_of_a_worker_that_died_is_kept_until_there_is_something_new(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    await Generation.objects.filter(pk=turn.reply.pk).aupdate(
        status=Status.RUNNING,
        worker="dead",
        reasoning="Old thought",
        draft="Old",
        heartbeat_at=timezone.now() - timedelta(seconds=16),
    )
    provider.play(stream(Gate("first"), Text("New "), Gate("end"), Text("answer"), *END))
    engine.join(turn.reply.pk)
    await asyncio.to_thread(provider.gate("first").wait_reached)
    assert (await stored(turn.reply)).generation.reasoning == "Old thought"
    provider.gate("first").open()
    message = await until_stored(turn.reply, lambda message: message.generation.draft == "New ")
    assert message.generation.reasoning == ""
    provider.gate("end").open()
    assert await text_at_end(engine, turn.reply) == "New answer"
