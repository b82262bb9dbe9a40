"""What becomes of running tools when their reply is stopped, deleted, handed back or lost, or the database is away."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.utils import timezone

from accounts.models import User
from conversations.actions import approvals, turns
from conversations.models import CallState, Conversation, Generation, Message, Preset, Status, TurnWindow
from conversations.replies import leases
from conversations.replies.engine import ReplyEngine
from tests.kit.provider import ScriptedProvider, calls, reply
from tests.replies.tools.support import Holding, names, results, rows, until_rows
from tests.support.replying import WAIT_SECONDS, stored, text_at_end, until_stored
from tools import registry
from tools.define import tool

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("midday")]

KINDS = [
    pytest.param({}, "failed", "has changed nothing", [], id="atomic"),
    pytest.param({"atomic": False}, "unknown", "may have happened", ["held"], id="of the outside"),
]


@pytest.mark.parametrize(("said", "state", "words", "left"), KINDS)
@pytest.mark.parametrize("where", ["here", "elsewhere"])
async def test_stop_ends_a_reply_whose_tool_runs_and_says_what_is_known(
    turn: turns.Turn,
    engine: ReplyEngine,
    provider: ScriptedProvider,
    said: dict[str, bool],
    state: str,
    words: str,
    left: list[str],
    where: str,
) -> None:
    held = Holding(**said)
    provider.play(calls(("hold", {}), text="One moment."))
    watching = asyncio.create_task(text_at_end(engine, turn.reply))
    await held.reached()
    await sync_to_async(leases.stop)(turn.reply.pk)
    if where == "here":
        engine.stop(turn.reply.pk)
    assert await watching == "One moment."
    held.go.set()
    message = await stored(turn.reply)
    assert (message.generation.status, message.content) == (Status.STOPPED, "One moment.")
    (stopped,) = await rows(turn.reply)
    assert (stopped.state, stopped.decision) == (state, "stopped")
    assert words in stopped.error
    assert [one["status"] for one in message.tool_calls or []] == [state]
    assert await names() == left


async def test_stop_cancels_an_asynchronous_tool(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    @tool
    async def sleep() -> str:
        """Sleep for ever."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "never"

    registry.register(sleep)
    provider.play(calls(("sleep", {})))
    watching = asyncio.create_task(text_at_end(engine, turn.reply))
    await asyncio.wait_for(begun.wait(), WAIT_SECONDS)
    engine.stop(turn.reply.pk)
    await watching
    assert ended.is_set()
    assert [call.state for call in await rows(turn.reply)] == [CallState.UNKNOWN]


async def test_a_stopped_reply_goes_on_with_what_it_has_done_or_is_asked_anew_beside_it(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    held = Holding()
    provider.play(calls(("add", {"name": "milk"}), ("hold", {})))
    watching = asyncio.create_task(text_at_end(engine, turn.reply))
    await held.reached()
    engine.stop(turn.reply.pk)
    await watching
    held.go.set()
    message = await stored(turn.reply)
    assert message.content == ""
    provider.play(reply("There is milk."))
    await sync_to_async(turns.resume)(message)
    assert await text_at_end(engine, turn.reply) == "There is milk."
    assert results(provider)[0] == "Added milk."
    assert await names() == ["milk"]


async def test_try_again_of_a_reply_that_has_called_tools_is_another_reply(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(calls(("remove", {"name": "milk"})), reply("Again."))
    await text_at_end(engine, turn.reply)
    await sync_to_async(turns.stop)(turn.reply)
    answer = await sync_to_async(turns.retry)(await sync_to_async(Message.objects.get)(pk=turn.reply.pk))
    assert answer.pk != turn.reply.pk
    assert await text_at_end(engine, answer) == "Again."
    assert [one["status"] for one in (await stored(turn.reply)).tool_calls or []] == ["declined"]


async def test_what_a_tool_does_in_a_deleted_conversation_is_undone_and_its_tokens_count(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    held = Holding()
    provider.play(calls(("hold", {})))
    engine.join(turn.reply.pk)
    await held.reached()
    await sync_to_async(Conversation.objects.all().delete)()
    held.go.set()
    window = TurnWindow.objects.filter(pk=turn.message.user_id)
    await asyncio.wait_for(engine.drain(WAIT_SECONDS), WAIT_SECONDS)
    assert await names() == []
    assert [found.day_tokens async for found in window] == [12]


@pytest.mark.parametrize(
    ("said", "state", "left"),
    [
        pytest.param({}, "done", ["held"], id="atomic"),
        pytest.param({"atomic": False, "idempotent": True}, "done", ["held"], id="idempotent"),
        pytest.param({"atomic": False}, "unknown", ["held"], id="of the outside"),
    ],
)
async def test_a_call_that_the_end_of_a_process_breaks_off_runs_again_or_is_asked_for(
    turn: turns.Turn,
    engine: ReplyEngine,
    other_engine: ReplyEngine,
    provider: ScriptedProvider,
    said: dict[str, bool],
    state: str,
    left: list[str],
) -> None:
    runs: list[str] = []
    held = Holding()

    def once(user: User) -> str:
        """Add a preset if it is missing; the first run waits."""
        runs.append("run")
        Preset.objects.get_or_create(user=user, name="held")
        if len(runs) == 1:
            held.entered.set()
            assert held.go.wait(WAIT_SECONDS)
        return "Done."

    registry.register(tool(**said)(once))  # type: ignore[call-overload]
    provider.play(calls(("once", {}), text="One moment."), reply("It is done."))
    engine.join(turn.reply.pk)
    await held.reached()
    await engine.drain(0)
    assert (await stored(turn.reply)).generation.status == Status.INTERRUPTED
    held.go.set()
    text = await text_at_end(other_engine, turn.reply)
    (call,) = await rows(turn.reply)
    assert (call.state, await names()) == (state, left)
    if state == "done":
        assert (text, len(runs)) == ("One moment.\n\nIt is done.", 2)
        return
    assert (text, len(runs), call.decision) == ("One moment.", 1, "")
    await sync_to_async(approvals.decide)(call, approve=False)
    assert await text_at_end(other_engine, turn.reply) == "One moment.\n\nIt is done."
    assert "not known whether this call happened" in results(provider)[0]
    assert len(runs) == 1


async def test_a_shutdown_lets_a_running_call_end_within_its_grace(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    held = Holding(atomic=False)
    provider.play(calls(("hold", {})), reply("Done."))
    engine.join(turn.reply.pk)
    await held.reached()
    draining = asyncio.create_task(engine.drain(WAIT_SECONDS))
    await asyncio.sleep(0)
    held.go.set()
    await draining
    message = await stored(turn.reply)
    assert (message.generation.status, message.content) == (Status.COMPLETE, "Done.")


async def test_a_worker_that_lost_its_lease_while_a_tool_ran_changes_nothing(
    turn: turns.Turn, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    held = Holding()
    provider.play(calls(("hold", {"name": "first"})), reply("Done."))
    engine.join(turn.reply.pk)
    await held.reached()
    # The worker is not heard of for a while.
    past = timezone.now() - timedelta(minutes=1)
    await Generation.objects.filter(pk=turn.reply.pk).aupdate(worker="gone", heartbeat_at=past)
    await until_stored(turn.reply, lambda _: not engine.making)
    held.go.set()
    assert await text_at_end(other_engine, turn.reply) == "Done."
    assert await names() == ["first"]
    assert len(provider.chats) == 2


async def test_a_tool_whose_transaction_is_broken_off_has_failed_and_left_nothing(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    held = Holding()
    provider.play(calls(("hold", {})), reply("It failed."))
    watching = asyncio.create_task(text_at_end(engine, turn.reply))
    await held.reached()
    await sync_to_async(cut_open_transactions)()
    held.go.set()
    assert await watching == "It failed."
    assert [call.state for call in await rows(turn.reply)] == ["failed"]
    assert "the database did not answer" in results(provider)[0]
    assert await names() == []


async def test_the_tokens_of_each_round_are_counted_once_also_over_a_wait(
    turn: turns.Turn, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(calls(("add", {"name": "milk"})), calls(("remove", {"name": "milk"})), reply("Gone."))
    await text_at_end(engine, turn.reply)
    window = await sync_to_async(TurnWindow.objects.get)(pk=turn.message.user_id)
    assert (window.day_messages, window.day_tokens) == (1, 24)
    (*_, asked) = await until_rows(turn.reply, lambda found: len(found) == 2)
    await sync_to_async(approvals.decide)(asked, approve=True)
    await text_at_end(other_engine, turn.reply)
    generation = (await stored(turn.reply)).generation
    assert (generation.prompt_tokens, generation.completion_tokens) == (21, 11)
    window = await sync_to_async(TurnWindow.objects.get)(pk=turn.message.user_id)
    assert (window.day_messages, window.day_tokens) == (1, 32)


def cut_open_transactions() -> None:
    """End the sessions in which a transaction waits for its client."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state = 'idle in transaction'"
        )
