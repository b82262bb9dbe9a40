"""What must not happen to a reply when two things happen at once."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from chatbot.core import database
from conversations.actions import turns
from conversations.models import Generation, Message, Status
from conversations.replies.engine import ReplyEngine
from tests.kit.provider import Reasoning, ScriptedProvider, error, reply, stream
from tests.kit.provider.script import END
from tests.support.replying import (
    WAIT_SECONDS,
    execute,
    gated,
    locked,
    stored,
    text_at_end,
    until,
    until_a_statement_waits,
)

pytestmark = pytest.mark.django_db(transaction=True)


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


async def test_a_claim_under_way_when_the_process_is_told_to_end_is_made_and_watched(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(reply("Good day"))
    with locked(Generation.objects.filter(pk=turn.reply.pk)):
        watching = asyncio.create_task(text_at_end(engine, turn.reply))
        await until_a_statement_waits()
        draining = asyncio.create_task(engine.drain(WAIT_SECONDS))
        await asyncio.sleep(0)
    assert await watching == "Good day"
    await draining


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


async def test_a_process_that_was_cut_off_itself_takes_nobody_for_dead_at_once(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.play(reply("A new answer."))
    running = Generation.objects.filter(pk=turn.reply.pk)
    late = timezone.now() - timedelta(seconds=16)
    await running.aupdate(status=Status.RUNNING, worker="cut off too", draft="Half", heartbeat_at=late)
    database.note_away()
    await until(engine, turn.reply, lambda text: text == "Half")
    assert provider.chats == []
    # It stays away for longer than a living one would.
    database.reach().last_away = float("-inf")
    assert await text_at_end(engine, turn.reply) == "A new answer."


async def test_a_stop_before_the_workers_first_step_is_heard(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("Never ", "shown"))
    live = engine.join(turn.reply.pk)
    assert live.joined
    # Called in the very step in which the worker's task is made.
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
    # Without the row that was refused, which the database repeats.
    assert message.generation.error_detail == "django.db.utils.IntegrityError: SQLSTATE 23514 odd"


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
        "WHERE datname = current_database() AND backend_type = 'client backend' AND pid NOT IN (pg_backend_pid(), %s)",
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


async def test_an_end_waits_for_a_deletion_without_keeping_it_from_its_rows(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("Good ", "day"))
    await until(engine, turn.reply, lambda text: text == "Good ")
    with locked(Message.objects.filter(pk=turn.reply.pk)):
        provider.gate("next0").open()
        await until_a_statement_waits()
        await free(Generation.objects.filter(pk=turn.reply.pk))
    assert await text_at_end(engine, turn.reply) == "Good day"


@sync_to_async
def free(rows: QuerySet[Generation]) -> None:
    """Raises `OperationalError` when another session holds one of these rows for longer than a checkpoint does."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        assert list(rows.select_for_update())
