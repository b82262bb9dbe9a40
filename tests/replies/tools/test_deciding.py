"""Decisions of people and administrators on tool calls, and who may make them."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from chatbot.core import process
from conversations.actions import approvals, turns
from conversations.models import CallState, Conversation, Decision, Generation, Preset, Status, ToolCall
from conversations.replies import dispatch
from conversations.replies.engine import ReplyEngine
from tests.kit.provider import ScriptedProvider, calls, reply
from tests.replies.tools.support import Holding, names, results, rows, until_rows
from tests.support.replying import stored, text_at_end, until_stored
from tools import registry
from tools.define import tool
from tools.models import Policy, ToolPolicy

pytestmark = pytest.mark.django_db(transaction=True)

REMOVE = ("remove", {"name": "milk"})
decide = sync_to_async(approvals.decide)


@pytest.fixture
async def serving() -> AsyncIterator[ReplyEngine]:
    """The engine of a server's event loop, which verbs tell of what they have stored."""
    dispatch.serve()
    made = dispatch.engine()
    yield made
    await made.shut_down()
    process.begin()


async def test_of_two_decisions_at_once_exactly_one_counts(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(calls(REMOVE), reply("Well."))
    await text_at_end(engine, turn.reply)
    (asked,) = await rows(turn.reply)
    begin = threading.Barrier(2)

    def choose(state: str) -> str:
        try:
            begin.wait()
            approvals.decide(asked, approve=state == "done")
        except approvals.AlreadyDecided:
            return "late"
        finally:
            connections.close_all()
        return state

    with ThreadPoolExecutor(2) as threads:
        said = await asyncio.to_thread(lambda: list(threads.map(choose, ("done", "declined"))))
    assert await text_at_end(engine, turn.reply) == "Well."
    (decided,) = await rows(turn.reply)
    assert sorted(said) == sorted([decided.state, "late"])


async def test_whoever_decides_has_the_reply_made_although_nobody_watches(
    turn: turns.Turn, engine: ReplyEngine, serving: ReplyEngine, provider: ScriptedProvider
) -> None:
    await sync_to_async(Preset.objects.create)(user=turn.message.user, name="milk")
    provider.play(calls(REMOVE), reply("Gone."))
    await text_at_end(engine, turn.reply)
    (asked,) = await rows(turn.reply)
    await decide(asked, approve=True)
    message = await until_stored(turn.reply, lambda message: message.generation.status == Status.COMPLETE)
    assert message.content == "Gone."
    assert await names() == []


async def test_a_decision_while_other_calls_run_is_taken_up_without_waiting(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    held = Holding()
    provider.play(calls(("hold", {"name": "milk"}), REMOVE), reply("Gone."))
    watching = asyncio.create_task(text_at_end(engine, turn.reply))
    await held.reached()
    _, asked = await rows(turn.reply)
    await decide(asked, approve=True)
    held.go.set()
    assert await watching == "Gone."
    assert results(provider) == ["Held.", "Removed 1."]


async def test_what_is_approved_runs_while_another_call_still_waits(
    turn: turns.Turn, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(calls(("add", {"name": "milk"}), REMOVE, ("remove", {"name": "bread"})), reply("Done."))
    await text_at_end(engine, turn.reply)
    _, first, second = await rows(turn.reply)
    await decide(first, approve=True)
    await text_at_end(other_engine, turn.reply)
    assert [call.state for call in await rows(turn.reply)] == ["done", "done", "waiting"]
    assert (await stored(turn.reply)).generation.status == Status.WAITING
    await decide(second, approve=False)
    assert await text_at_end(engine, turn.reply) == "Done."
    assert len(provider.chats) == 2


async def test_calls_after_one_that_asks_wait_for_it_unless_they_only_read(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(calls(REMOVE, ("add", {"name": "milk"}), ("list_all", {})), reply("Done."))
    await text_at_end(engine, turn.reply)
    assert [call.state for call in await rows(turn.reply)] == ["waiting", "proposed", "done"]
    await sync_to_async(approvals.decide_together)(turn.reply, approve=True)
    assert await text_at_end(engine, turn.reply) == "Done."
    assert await names() == ["milk"]
    assert [call.decision for call in await rows(turn.reply)] == ["person", "policy", "policy"]


async def test_always_lets_a_tool_run_in_the_chat_from_then_on(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(calls(REMOVE), calls(("remove", {"name": "bread"})), reply("Gone."))
    await text_at_end(engine, turn.reply)
    (asked,) = await rows(turn.reply)
    await decide(asked, approve=True, always=True)
    assert await text_at_end(engine, turn.reply) == "Gone."
    assert [call.decision for call in await rows(turn.reply)] == [Decision.PERSON, Decision.ALWAYS]
    conversation = await sync_to_async(Conversation.objects.get)()
    assert conversation.tools_allowed == ["remove"]


async def test_always_holds_for_the_next_round_of_a_reply_that_never_waited(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    held = Holding()
    provider.play(calls(("hold", {}), REMOVE), calls(("remove", {"name": "bread"})), reply("Gone."))
    watching = asyncio.create_task(text_at_end(engine, turn.reply))
    await held.reached()
    await decide((await rows(turn.reply))[1], approve=True, always=True)
    held.go.set()
    assert await watching == "Gone."


@pytest.mark.parametrize(
    ("policy", "state"), [(Policy.ASK, "waiting"), (Policy.ALLOW, "done"), (Policy.NEVER, "failed")]
)
async def test_an_administrators_policy_overrides_the_decorator(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, policy: Policy, state: str
) -> None:
    for name in ("add", "remove"):
        await sync_to_async(ToolPolicy.decide)(name, policy, turn.message.user)
    provider.play(calls(("add", {"name": "milk"}), REMOVE), reply("Done."))
    await text_at_end(engine, turn.reply)
    assert {call.state for call in await rows(turn.reply)} == {state}
    offered = {one["function"]["name"] for one in provider.chats[0].json["tools"]}
    assert offered == {"list_all", "send"} | ({"add", "remove"} if policy != Policy.NEVER else set())


@pytest.mark.parametrize("taken", ["permission", "policy", "tools", "account"])
async def test_what_is_taken_from_a_person_between_proposal_and_approval_does_not_run(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings, taken: str
) -> None:
    @tool(confirm=True, permission="conversations.add_preset")
    def guarded(user: User) -> str:
        """Add a preset."""
        Preset.objects.create(user=user, name="guarded")
        return "Added."

    registry.register(guarded)
    user = await sync_to_async(User.objects.get)(pk=turn.message.user_id)
    await sync_to_async(user.user_permissions.add)(
        await sync_to_async(Permission.objects.get)(codename="add_preset", content_type__app_label="conversations")
    )
    provider.play(calls(("guarded", {})), reply("I may not."))
    await text_at_end(engine, turn.reply)
    (asked,) = await rows(turn.reply)
    assert asked.state == CallState.WAITING
    match taken:
        case "permission":
            await sync_to_async(user.user_permissions.clear)()
        case "policy":
            await sync_to_async(ToolPolicy.decide)("guarded", Policy.NEVER, user)
        case "tools":
            settings.CHAT_TOOLS = False
        case "account":
            await sync_to_async(User.objects.filter(pk=user.pk).update)(is_active=False)
    await decide(asked, approve=True)
    assert await text_at_end(engine, turn.reply) == "I may not."
    (refused,) = await rows(turn.reply)
    assert (refused.state, await names()) == (CallState.FAILED, [])
    assert "The tool was not run" in refused.error


async def test_a_call_that_waited_too_long_counts_as_declined_and_cannot_be_approved(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(calls(REMOVE), reply("You did not answer."))
    await text_at_end(engine, turn.reply)
    day = timedelta(hours=25)
    await ToolCall.objects.aupdate(created_at=timezone.now() - day)
    await Generation.objects.aupdate(waiting_until=timezone.now() - timedelta(hours=1))
    (asked,) = await rows(turn.reply)
    with pytest.raises(approvals.AlreadyDecided):
        await decide(asked, approve=True)
    assert await text_at_end(engine, turn.reply) == "You did not answer."
    (late,) = await rows(turn.reply)
    assert (late.state, late.decision) == (CallState.DECLINED, Decision.EXPIRED)
    assert "did not answer in time" in results(provider)[0]


async def test_a_waiting_reply_counts_for_its_conversation_only(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_REPLIES_PER_USER = 1
    provider.play(calls(REMOVE))
    await text_at_end(engine, turn.reply)
    send = sync_to_async(turns.send)
    with pytest.raises(turns.ReplyWaits):
        await send(turn.message.user, text="And now?", conversation=turn.conversation)
    other = await send(turn.message.user, text="Hello elsewhere")
    assert other.reply.generation.status == Status.PENDING


async def test_a_full_process_still_makes_what_its_person_has_approved(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    provider.play(calls(REMOVE), reply("Gone."))
    await text_at_end(engine, turn.reply)
    settings.CHAT_REPLIES_PER_PROCESS = 0
    (asked,) = await rows(turn.reply)
    await decide(asked, approve=True)
    assert await text_at_end(engine, turn.reply) == "Gone."


async def test_a_decision_at_the_moment_of_letting_go_is_not_lost(
    turn: turns.Turn, serving: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(calls(REMOVE), reply("Gone."))

    def approve_at_once() -> None:
        """Decide as soon as the call is stored: while the reply is about to wait, or has just begun to."""
        while not (found := ToolCall.objects.undecided().first()):
            pass
        approvals.decide(found, approve=True)
        connections.close_all()

    deciding = asyncio.create_task(asyncio.to_thread(approve_at_once))
    serving.join(turn.reply.pk)
    await deciding
    message = await until_stored(turn.reply, lambda message: message.generation.status == Status.COMPLETE)
    assert message.content == "Gone."
    await until_rows(turn.reply, lambda found: [call.state for call in found] == ["done"])
