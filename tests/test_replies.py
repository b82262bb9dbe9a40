"""Making a reply, following it, and what happens when either side goes away."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections, transaction
from django.db.models import QuerySet
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from conversations import replies, turns
from conversations.models import Generation, Message, Status
from conversations.replies import ReplyEngine
from tests.provider import Gate, Raw, Reasoning, Script, ScriptedProvider, Text, error, reply, stream
from tests.provider.script import END

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_SECONDS = 10.0


@pytest.fixture
def turn(user: User, provider: ScriptedProvider, settings: Settings) -> turns.Turn:
    """A stored turn whose reply the provider will make."""
    settings.OPENAI_BASE_URL = provider.url
    settings.CHAT_RETRIES = 0
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
    monkeypatch.setattr(replies, "CHECKPOINT_INTERVAL", 0.05)
    monkeypatch.setattr(replies, "FOLLOW_INTERVAL", 0.05)
    yield
    # The thread in which the ORM's asynchronous methods run keeps its connection otherwise.
    await sync_to_async(connections.close_all)()


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


@contextmanager
def locked(rows: QuerySet[Any]) -> Iterator[None]:
    """Another session holds these rows: statements that want them wait."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            list(rows.select_for_update())
            held.set()
            release.wait(WAIT_SECONDS)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(WAIT_SECONDS)
    try:
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
    """An answer that stops at the gate `next` before each piece but the first."""
    steps: list[Text | Gate] = [Text(pieces[0])]
    for number, piece in enumerate(pieces[1:]):
        steps += [Gate(f"next{number}"), Text(piece)]
    return stream(*steps, *END)


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
    assert message.generation.error


async def test_a_retry_that_fails_at_once_keeps_the_text_of_the_first_try(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(stream(Text("Good ")), error(401, "no such key"))
    await text_at_end(engine, turn.reply)
    await sync_to_async(turns.retry)(turn.reply)
    await text_at_end(engine, turn.reply)
    message = await stored(turn.reply)
    assert (message.content, message.generation.error_code) == ("Good ", "provider_key")


async def test_a_reply_whose_maker_died_is_made_again_by_the_next_viewer(
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


async def test_a_viewer_who_waits_takes_over_when_the_maker_falls_silent(
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


async def test_a_maker_that_was_replaced_does_not_write_over_its_successor(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("Old ", "answer"))
    await until(engine, turn.reply, lambda text: text == "Old ")
    await Generation.objects.filter(pk=turn.reply.pk).aupdate(
        worker="successor", draft="New", heartbeat_at=timezone.now()
    )
    await until(engine, turn.reply, lambda text: text == "New")
    provider.gate("next0").open()
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
    await sync_to_async(turns.delete)(turn.conversation)
    await asyncio.gather(*watchers)
    assert not await Message.objects.aexists()


async def test_text_that_postgresql_cannot_store_does_not_lose_the_reply(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    half_a_pair = Raw(b'data: {"choices":[{"index":0,"delta":{"content":"\\ud800c"}}]}\n\n')
    provider.play(stream(Text("a\0b"), half_a_pair, *END))
    await text_at_end(engine, turn.reply)
    assert (await stored(turn.reply)).content == "ab\N{REPLACEMENT CHARACTER}c"


# --- What must not happen when two things happen at once --------------------------------------------------------------


async def test_a_claim_under_way_at_the_end_of_the_process_is_handed_back(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("Never ", "shown"))
    with locked(Generation.objects.filter(pk=turn.reply.pk)):
        engine.join(turn.reply.pk)
        await until_a_statement_waits()
        ending = asyncio.create_task(engine.shut_down())
        await asyncio.sleep(0)
    await ending
    assert (await stored(turn.reply)).generation.status == Status.INTERRUPTED


async def test_a_finished_reply_is_saved_at_the_end_of_the_process_and_not_made_again(
    turn: turns.Turn, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("Good ", "day"))
    await until(engine, turn.reply, lambda text: text == "Good ")
    with locked(Generation.objects.filter(pk=turn.reply.pk)):
        provider.gate("next0").open()
        await until(engine, turn.reply, lambda text: text == "Good day")
        await until_a_statement_waits()
        ending = asyncio.create_task(engine.shut_down())
        await asyncio.sleep(0)
    await ending
    assert await text_at_end(other_engine, turn.reply) == "Good day"
    assert len(provider.chats) == 1


async def test_a_viewer_who_comes_while_the_last_one_leaves_a_take_over_sees_the_end(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(reply("A new answer."))
    running = Generation.objects.filter(pk=turn.reply.pk)
    await running.aupdate(status=Status.RUNNING, worker="dying", draft="Half", heartbeat_at=timezone.now())
    leaving = asyncio.create_task(text_at_end(engine, turn.reply))
    await until(engine, turn.reply, lambda text: text == "Half")
    await running.aupdate(heartbeat_at=timezone.now() - timedelta(seconds=16))
    with locked(running):
        await until_a_statement_waits()
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        coming = asyncio.create_task(text_at_end(engine, turn.reply))
        await asyncio.sleep(0)
    assert await coming == "A new answer."


async def test_a_stop_before_the_makers_first_step_is_heard(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("Never ", "shown"))
    live = engine.join(turn.reply.pk)
    assert live.joined
    # Called in the very step in which the maker's task is made.
    live.joined.add_done_callback(lambda _: engine.stop(turn.reply.pk))
    assert await text_at_end(engine, turn.reply) == ""
    assert (await stored(turn.reply)).generation.status == Status.STOPPED


async def test_an_outcome_that_cannot_be_stored_becomes_a_failure_with_the_text(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    await execute("ALTER TABLE conversations_generation ADD CONSTRAINT odd CHECK (completion_tokens <> 2)")
    try:
        provider.play(reply("Good day"))
        assert await text_at_end(engine, turn.reply) == "Good day"
    finally:
        await execute("ALTER TABLE conversations_generation DROP CONSTRAINT odd")
    message = await stored(turn.reply)
    assert (message.content, message.generation.error_code) == ("Good day", "internal")


async def test_a_handed_back_text_is_kept_when_the_second_make_fails(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    await Generation.objects.filter(pk=turn.reply.pk).aupdate(status=Status.INTERRUPTED, draft="Half of an answer")
    provider.play(error(401, "no such key"))
    await text_at_end(engine, turn.reply)
    message = await stored(turn.reply)
    assert (message.content, message.generation.status) == ("Half of an answer", Status.FAILED)


@pytest.fixture
def own_session(transactional_db: None) -> int:
    """The process of the database that serves the test itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


async def test_connections_cut_by_the_database_do_not_hurt_a_reply(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, own_session: int
) -> None:
    provider.play(gated("Good ", "day"))
    await until(engine, turn.reply, lambda text: text == "Good ")
    await execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), %s)",
        own_session,
    )
    provider.gate("next0").open()
    assert await text_at_end(engine, turn.reply) == "Good day"
    assert (await stored(turn.reply)).generation.status == Status.COMPLETE


async def test_an_answer_without_text_is_a_failure(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(stream(Reasoning("I wonder"), *END))
    await text_at_end(engine, turn.reply)
    assert (await stored(turn.reply)).generation.error_code == "empty_reply"
