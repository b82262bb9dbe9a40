"""What tools return and raise, and what the model reads of it."""

import asyncio
import json
import threading

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from accounts.models import User
from conversations.actions import turns
from conversations.models import CallState, Preset, Status
from conversations.replies.engine import ReplyEngine
from tests.kit.provider import END, Raw, ScriptedProvider, calls, reply, stream
from tests.replies.tools.support import Holding, names, results, rows
from tests.support.replying import stored, text_at_end
from tools import registry
from tools.define import ToolError, tool

pytestmark = pytest.mark.django_db(transaction=True)

STRANGE = {
    "ten megabytes": ("x" * 10_000_000, "(Cut: these are the first"),
    "HTML": ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    "NUL": ("a\0b", "ab"),
    "a lone surrogate": ("a\ud800b", "a\ufffdb"),
    "nothing": (None, "Done."),
    "an empty text": ("", ""),
}


@pytest.mark.parametrize("what", STRANGE)
async def test_whatever_a_tool_returns_is_stored_and_read_within_bounds(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, what: str
) -> None:
    value, expected = STRANGE[what]

    @tool
    def strange() -> str | None:
        """Return something."""
        return value

    registry.register(strange)
    provider.play(calls(("strange", {})), reply("I see."))
    assert await text_at_end(engine, turn.reply) == "I see."
    (result,) = results(provider)
    assert expected in result
    assert len(result.encode()) <= 3 * 20_000
    message = await stored(turn.reply)
    assert message.generation.status == Status.COMPLETE
    assert len(json.dumps(message.tool_calls)) < 10_000


async def test_what_a_tool_did_before_it_failed_is_undone_and_its_words_are_kept_back(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    @tool
    def fails(user: User) -> str:
        """Add a preset, then fail."""
        Preset.objects.create(user=user, name="never")
        raise RuntimeError("the password is swordfish")

    @tool
    def refuses() -> str:
        """Refuse in words."""
        raise ToolError("There is no more milk.")

    registry.register(fails, refuses)
    provider.play(calls(("fails", {}), ("refuses", {})), reply("Sorry."))
    assert await text_at_end(engine, turn.reply) == "Sorry."
    failed, refused = results(provider)
    assert "swordfish" not in failed
    assert "There is no more milk." in refused
    assert await names() == []
    assert {call.state for call in await rows(turn.reply)} == {CallState.FAILED}


async def test_a_tool_that_hangs_ends_after_its_time_and_the_others_go_on(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_TOOL_SECONDS = 0.2
    held = Holding()
    provider.play(calls(("hold", {}), ("add", {"name": "milk"})), reply("Only milk."))
    assert await text_at_end(engine, turn.reply) == "Only milk."
    late, added = results(provider)
    assert "did not answer within 0.2 seconds. It has changed nothing." in late
    assert added == "Added milk."
    held.go.set()
    assert await names() == ["milk"]


async def test_an_asynchronous_tool_that_hangs_is_cancelled(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_TOOL_SECONDS = 0.2
    ended = threading.Event()

    @tool
    async def sleep() -> str:
        """Sleep for ever."""
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "never"

    registry.register(sleep)
    provider.play(calls(("sleep", {})), reply("Too long."))
    assert await text_at_end(engine, turn.reply) == "Too long."
    assert "What it was to do may have happened" in results(provider)[0]
    assert ended.is_set()


async def test_an_asynchronous_tool_uses_the_database_and_tells_its_result(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    @tool
    async def add_later(user: User, name: str) -> str:
        """Add a preset.

        Args:
            name: How it is called.
        """
        await Preset.objects.acreate(user=user, name=name)
        return f"Added {name} later."

    registry.register(add_later)
    provider.play(calls(("add_later", {"name": "milk"})), reply("Done."))
    await text_at_end(engine, turn.reply)
    assert results(provider) == ["Added milk later."]
    assert await names() == ["milk"]


@pytest.mark.parametrize("arguments", ['{"name": ', "[1]", '"milk"', "\ud800", "{" * 5_000])
async def test_broken_arguments_are_told_to_the_model_which_may_try_again(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, arguments: str
) -> None:
    function = {"name": "add", "arguments": arguments}
    delta = {"tool_calls": [{"index": 0, "id": "a", "function": function}]}
    # Escaped, as JSON may have a lone surrogate.
    broken = Raw(f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n".encode())
    provider.play(stream(broken, *END), calls(("add", {"name": "milk"})), reply("Done."))
    assert await text_at_end(engine, turn.reply) == "Done."
    assert await names() == ["milk"]
    assert [call.state for call in await rows(turn.reply)] == [CallState.FAILED, CallState.DONE]


async def test_more_calls_at_once_than_a_round_may_have_end_the_reply_and_none_runs(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(calls(*(("add", {"name": str(number)}) for number in range(101))))
    await text_at_end(engine, turn.reply)
    assert (await stored(turn.reply)).generation.error_code == "too_many_calls"
    assert await names() == []


async def test_a_reply_at_the_limit_of_rounds_goes_on_when_continued_and_repeats_nothing(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_TOOL_ROUNDS = 2
    provider.play(*(calls(("add", {"name": str(number)})) for number in range(2)))
    await text_at_end(engine, turn.reply)
    message = await stored(turn.reply)
    assert message.generation.error_code == "too_many_rounds"
    provider.play(calls(("add", {"name": "2"})), reply("That was all."))
    await sync_to_async(turns.resume)(message)
    assert await text_at_end(engine, turn.reply) == "That was all."
    assert await names() == ["0", "1", "2"]
    assert results(provider, 3) == ["Added 0.", "Added 1.", "Added 2."]
    assert [one["status"] for one in (await stored(turn.reply)).tool_calls or []] == ["done"] * 3


async def test_another_result_begins_the_count_of_repeated_calls_anew(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    same = [calls(("list_all", {})) for _ in range(3)]
    provider.play(*same, calls(("add", {"name": "milk"})), *same, reply("Enough."))
    assert await text_at_end(engine, turn.reply) == "Enough."
