"""A reply that uses tools: rounds, results, decisions."""

import pytest
from asgiref.sync import sync_to_async

from conversations.actions import approvals, turns
from conversations.models import CallState, Message, Preset, Status, ToolCall
from conversations.replies.engine import ReplyEngine
from tests.kit.provider import ScriptedProvider, calls, reply
from tests.support.replying import stored, text_at_end

pytestmark = pytest.mark.django_db(transaction=True)


@sync_to_async
def names(order: str = "name") -> list[str]:
    return [preset.name for preset in Preset.objects.order_by(order)]


@sync_to_async
def rows(message: Message) -> list[ToolCall]:
    return list(ToolCall.objects.filter(message=message).in_order())


def results(provider: ScriptedProvider, count: int) -> list[str]:
    """The last results that the model got with its second request."""
    return [message["content"] for message in provider.chats[1].json["messages"][-count:]]


def recorded(message: Message, *fields: str) -> list[tuple[object, ...]]:
    """These fields of the calls that the message recorded."""
    return [tuple(one[field] for field in fields) for one in message.tool_calls or []]


async def test_a_tool_runs_and_its_result_goes_to_the_model(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(calls(("add", {"name": "milk"}), text="I add it."), reply("It is on the list."))
    assert await text_at_end(engine, turn.reply) == "I add it.\n\nIt is on the list."
    assert await names() == ["milk"]
    first, second = provider.chats
    assert [one["function"]["name"] for one in first.json["tools"]] == ["add", "list_all", "remove", "send"]
    assert second.json["messages"][-2]["content"] == "I add it."
    assert second.json["messages"][-2]["tool_calls"] == [
        {"id": "call_0", "type": "function", "function": {"name": "add", "arguments": '{"name": "milk"}'}}
    ]
    assert second.json["messages"][-1] == {"role": "tool", "content": "Added milk.", "tool_call_id": "call_0"}
    message = await stored(turn.reply)
    assert message.content == "I add it.\n\nIt is on the list."
    assert message.generation.status == Status.COMPLETE
    assert recorded(message, "name", "status", "place") == [("add", "done", 9)]
    assert (message.generation.prompt_tokens, message.generation.rounds) == (14, 1)


async def test_five_calls_of_one_round_run_in_order(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(calls(*(("add", {"name": name}) for name in "edcba")), reply("Done."))
    await text_at_end(engine, turn.reply)
    assert await names("id") == list("edcba")
    assert results(provider, 5) == [f"Added {name}." for name in "edcba"]


async def test_a_call_that_asks_waits_until_it_is_approved(
    turn: turns.Turn, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(calls(("add", {"name": "milk"}), ("remove", {"name": "milk"}), text="One moment."), reply("Gone."))
    assert await text_at_end(engine, turn.reply) == "One moment."
    message = await stored(turn.reply)
    assert message.generation.status == Status.WAITING
    assert engine.making == 0
    added, asked = await rows(turn.reply)
    assert (added.state, asked.state) == (CallState.DONE, CallState.WAITING)
    await sync_to_async(approvals.decide)(asked, approve=True)
    assert await text_at_end(other_engine, turn.reply) == "One moment.\n\nGone."
    assert await names() == []
    assert results(provider, 2) == ["Added milk.", "Removed 1."]


async def test_a_declined_call_does_not_run_and_the_model_knows(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(calls(("add", {"name": "milk"}), ("remove", {"name": "milk"})), reply("I left it."))
    await text_at_end(engine, turn.reply)
    _, asked = await rows(turn.reply)
    await sync_to_async(approvals.decide)(asked, approve=False)
    with pytest.raises(approvals.AlreadyDecided):
        await sync_to_async(approvals.decide)(asked, approve=True)
    assert await text_at_end(engine, turn.reply) == "I left it."
    assert await names() == ["milk"]
    assert "declined" in provider.chats[1].json["messages"][-1]["content"]


async def test_stop_ends_a_reply_that_waits(turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider) -> None:
    provider.play(calls(("remove", {"name": "milk"}), text="One moment."))
    await text_at_end(engine, turn.reply)
    await sync_to_async(turns.stop)(turn.reply)
    message = await stored(turn.reply)
    assert (message.generation.status, message.content) == (Status.STOPPED, "One moment.")
    assert recorded(message, "name", "status") == [("remove", "declined")]


async def test_what_cannot_be_called_is_told_to_the_model(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(calls(("fly", {}), ("add", {"title": 1})), reply("Sorry."))
    assert await text_at_end(engine, turn.reply) == "Sorry."
    unknown, wrong = provider.chats[1].json["messages"][-2:]
    assert "no tool 'fly'" in unknown["content"]
    assert "name" in wrong["content"]


async def test_a_reply_that_never_ends_its_rounds_is_ended(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(*(calls(("add", {"name": str(number)})) for number in range(12)))
    await text_at_end(engine, turn.reply)
    message = await stored(turn.reply)
    assert (message.generation.status, message.generation.error_code) == (Status.FAILED, "too_many_rounds")
    assert len(await names()) == 10


async def test_a_repeated_call_is_told_and_then_ends_the_reply(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(*(calls(("list_all", {})) for _ in range(6)))
    await text_at_end(engine, turn.reply)
    message = await stored(turn.reply)
    assert message.generation.error_code == "repeated_calls"
    assert len(provider.chats) == 4
    assert "the same result" in provider.chats[3].json["messages"][-1]["content"]
    assert "the same result" not in provider.chats[2].json["messages"][-1]["content"]


async def test_what_is_read_after_a_change_has_the_change(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(
        calls(
            ("list_all", {}), ("add", {"name": "milk"}), ("list_all", {}), ("list_all", {}), ("add", {"name": "eggs"})
        ),
        reply("Done."),
    )
    await text_at_end(engine, turn.reply)
    before, _, after, again, _ = results(provider, 5)
    assert "milk" not in before
    assert "milk" in after
    assert after == again
