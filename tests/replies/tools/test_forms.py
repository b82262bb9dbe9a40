"""Tool calls as providers really send them."""

import json

import pytest

from conversations.actions import turns
from conversations.models import Status
from conversations.replies.engine import ReplyEngine
from tests.kit.provider import END, Calls, Finish, Raw, Script, ScriptedProvider, Text, Usage, reply, stream
from tests.kit.provider.script import Done
from tests.replies.tools.support import names, pieces, results, rows
from tests.support.replying import stored, text_at_end

pytestmark = pytest.mark.django_db(transaction=True)


def piece(**fields: object) -> str:
    """A piece of a call as JSON."""
    return json.dumps(fields)


def named(name: str, arguments: object = "") -> dict[str, object]:
    """The function of a piece."""
    return {"name": name, "arguments": arguments}


MILK, BREAD = '{"name": "milk"}', '{"name": "bread"}'
IN_PIECES = [
    piece(index=0, id="a", type="function", function=named("add")),
    piece(index=0, function={"arguments": '{"na'}),
    piece(index=0, function={"arguments": 'me": "milk"}'}),
    piece(index=1, id="b", type="function", function=named("add", '{"name": ')),
    piece(index=1, function={"arguments": '"bread"}'}),
]
OLD = b'data: {"choices":[{"index":0,"delta":{"function_call":%s}}]}\n\n'

FORMS: dict[str, Script] = {
    "in pieces": pieces(*IN_PIECES),
    "whole, in one chunk": pieces(
        piece(index=0, id="a", function=named("add", MILK)),
        piece(index=1, id="b", function=named("add", BREAD)),
        chunks=False,
    ),
    "without index": pieces(
        piece(id="a", type="function", function=named("add", MILK)),
        piece(id="b", type="function", function=named("add", BREAD)),
    ),
    "all with index 0": pieces(
        piece(index=0, id="a", function=named("add", MILK)), piece(index=0, id="b", function=named("add", BREAD))
    ),
    "without id": pieces(
        piece(index=0, function=named("add", MILK)),
        piece(index=1, function=named("add", BREAD)),
    ),
    "without index and id": pieces(piece(function=named("add", MILK)), piece(function=named("add", BREAD))),
    "with empty ids": pieces(
        piece(index=0, id="", function=named("add", MILK)), piece(index=1, id="", function=named("add", BREAD))
    ),
    "with one id for two": pieces(
        piece(index=0, id="same", function=named("add", MILK)), piece(index=1, id="same", function=named("add", BREAD))
    ),
    "with the id again in each piece": pieces(
        piece(index=0, id="a", function=named("add", '{"name": ')),
        piece(index=0, id="a", function={"arguments": '"milk"}'}),
        piece(index=1, id="b", function=named("add", BREAD)),
    ),
    "with objects as arguments": pieces(
        piece(index=0, id="a", function=named("add", {"name": "milk"})),
        piece(index=1, id="b", function=named("add", {"name": "bread"})),
    ),
    "with the finish reason stop": pieces(
        piece(index=0, id="a", function=named("add", MILK)),
        piece(index=1, id="b", function=named("add", BREAD)),
        finish="stop",
    ),
    "without a finish reason": stream(
        Calls((piece(index=0, id="a", function=named("add", MILK)),)),
        Calls((piece(index=1, id="b", function=named("add", BREAD)),)),
        Done(),
    ),
}


@pytest.mark.parametrize("form", FORMS)
async def test_two_calls_run_in_whatever_form_they_come(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, form: str
) -> None:
    provider.play(FORMS[form], reply("Done."))
    assert await text_at_end(engine, turn.reply) == "Done."
    assert await names("id") == ["milk", "bread"]
    assert results(provider) == ["Added milk.", "Added bread."]
    said, *answers = provider.chats[1].json["messages"][-3:]
    keys = [call["id"] for call in said["tool_calls"]]
    assert len(set(keys)) == 2
    assert [answer["tool_call_id"] for answer in answers] == keys


async def test_the_older_function_call_is_one_call(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    begin, end = json.dumps(named("add", '{"name": ')), json.dumps({"arguments": '"milk"}'})
    old = stream(Raw(OLD % begin.encode()), Raw(OLD % end.encode()), Finish("function_call"), Usage(), Done())
    provider.play(old, reply("Done."))
    assert await text_at_end(engine, turn.reply) == "Done."
    assert await names() == ["milk"]


@pytest.mark.parametrize("arguments", ["", "{}", "null", None])
async def test_a_call_without_arguments_runs_when_its_tool_needs_none(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, arguments: object
) -> None:
    provider.play(pieces(piece(index=0, id="a", function=named("list_all", arguments))), reply("Nothing."))
    assert await text_at_end(engine, turn.reply) == "Nothing."
    assert results(provider)[0].startswith("name")


async def test_text_after_the_calls_belongs_to_their_round(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    call = Calls((piece(index=0, id="a", function=named("add", MILK)),))
    provider.play(stream(Text("I add"), call, Text(" it now."), *END), reply("It is there."))
    assert await text_at_end(engine, turn.reply) == "I add it now.\n\nIt is there."
    assert provider.chats[1].json["messages"][-2]["content"] == "I add it now."
    (added,) = await rows(turn.reply)
    assert added.place == len("I add it now.")


async def test_a_finish_reason_of_calls_without_any_is_an_ordinary_end(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(stream(Text("Nothing to do."), Finish("tool_calls"), Usage(), Done()))
    assert await text_at_end(engine, turn.reply) == "Nothing to do."
    assert (await stored(turn.reply)).generation.status == Status.COMPLETE
    assert len(provider.chats) == 1


async def test_what_providers_add_to_a_call_goes_back_to_them(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    signed = {"google": {"thought_signature": "abc"}}
    call = piece(index=0, id="a", function=named("add", MILK), extra_content=signed)
    provider.play(pieces(call), reply("Done."))
    await text_at_end(engine, turn.reply)
    (back,) = provider.chats[1].json["messages"][-2]["tool_calls"]
    assert back["extra_content"] == signed


async def test_reasoning_goes_back_with_its_round_and_no_other(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    details = [
        {"type": "reasoning.text", "text": "Milk, ", "index": 0},
        {"type": "reasoning.text", "text": "then.", "index": 0, "signature": "s"},
    ]
    thinks = [
        Raw(b'data: {"choices":[{"index":0,"delta":%s}]}\n\n' % json.dumps(delta).encode())
        for delta in ({"reasoning_content": "I need "}, {"reasoning_content": "milk."}, {"reasoning_details": details})
    ]
    call = Calls((piece(index=0, id="a", function=named("add", MILK)),))
    provider.play(
        stream(*thinks, call, *END),
        pieces(piece(index=0, id="b", function=named("add", BREAD))),
        reply("Done."),
    )
    await text_at_end(engine, turn.reply)
    first, second = (m for m in provider.chats[2].json["messages"] if m["role"] == "assistant")
    assert first["reasoning_content"] == "I need milk."
    assert "".join(part["text"] for part in first["reasoning_details"]) == "Milk, then."
    assert "reasoning_content" not in second
