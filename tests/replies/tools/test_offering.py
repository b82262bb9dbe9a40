"""Which tools a model is offered, and what happens with models that take none."""

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from accounts.models import User
from conversations.actions import approvals, turns
from conversations.llm import abilities
from conversations.llm import service as llm
from conversations.models import Conversation, Status
from conversations.replies import offers
from conversations.replies.engine import ReplyEngine
from tests.kit.provider import Script, ScriptedProvider, calls, error, json_answer, reply
from tests.replies.tools.support import names, rows
from tests.support.replying import stored, text_at_end

pytestmark = pytest.mark.django_db(transaction=True)

REFUSALS: dict[str, Script] = {
    "vLLM": error(
        400,
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        kind="BadRequestError",
    ),
    "llama.cpp": json_answer(
        {"error": {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"}}, status=500
    ),
    "Ollama": error(400, "registry.ollama.ai/library/gemma:2b does not support tools", kind="api_error"),
    "OpenRouter": json_answer(
        {"error": {"message": "No endpoints found that support tool use. To learn more, visit: ...", "code": 404}},
        status=404,
    ),
    "OpenAI": error(400, "tools is not supported in this model. For a list of supported models, refer to ..."),
    "a strict server": error(422, "body.tools: Extra inputs are not permitted"),
}


@pytest.mark.parametrize("server", REFUSALS)
async def test_a_model_that_refuses_tools_is_asked_without_and_not_offered_any_for_an_hour(
    turn: turns.Turn,
    engine: ReplyEngine,
    provider: ScriptedProvider,
    monkeypatch: pytest.MonkeyPatch,
    server: str,
) -> None:
    provider.play(REFUSALS[server], reply("Without tools."), reply("Again without."), reply("With tools."))
    assert await text_at_end(engine, turn.reply) == "Without tools."
    assert ["tools" in chat.json for chat in provider.chats] == [True, False]
    send = sync_to_async(turns.send)
    second = await send(turn.message.user, text="And now?")
    assert await text_at_end(engine, second.reply) == "Again without."
    assert "tools" not in provider.chats[2].json
    assert not llm.takes_tools(llm.OTHER_MODEL)
    monkeypatch.setattr(abilities, "SECONDS", 0.0)
    third = await send(turn.message.user, text="And in an hour?")
    assert await text_at_end(engine, third.reply) == "With tools."
    assert "tools" in provider.chats[3].json


async def test_a_model_that_refuses_tools_after_it_has_used_some_reads_in_words_what_was_done(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(calls(("add", {"name": "milk"}), text="I add it."), REFUSALS["Ollama"], reply("It is there."))
    assert await text_at_end(engine, turn.reply) == "I add it.\n\nIt is there."
    told, done = provider.chats[2].json["messages"][-2:]
    assert (told, done["role"]) == ({"role": "assistant", "content": "I add it."}, "user")
    assert "Added milk." in done["content"]
    assert (await stored(turn.reply)).generation.status == Status.COMPLETE
    assert await names() == ["milk"]


async def test_what_is_turned_off_meanwhile_does_not_make_the_model_forget_what_was_done(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    provider.play(calls(("add", {"name": "milk"}), ("remove", {"name": "milk"})), reply("There is milk."))
    await text_at_end(engine, turn.reply)
    settings.CHAT_TOOLS = False
    (_, asked) = await rows(turn.reply)
    await sync_to_async(approvals.decide)(asked, approve=False)
    assert await text_at_end(engine, turn.reply) == "There is milk."
    assert "tools" not in provider.chats[1].json
    assert "Added milk." in provider.chats[1].json["messages"][-1]["content"]


async def test_with_tools_turned_off_nothing_is_offered(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_TOOLS = False
    provider.play(reply("Hello."))
    await text_at_end(engine, turn.reply)
    assert "tools" not in provider.chats[0].json


async def test_tools_that_are_turned_off_in_a_chat_are_neither_offered_nor_run(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    await Conversation.objects.aupdate(tools_off=["add", "gone"])
    provider.play(calls(("add", {"name": "milk"})), reply("I cannot."))
    assert await text_at_end(engine, turn.reply) == "I cannot."
    assert [one["function"]["name"] for one in provider.chats[0].json["tools"]] == ["list_all", "remove", "send"]
    assert await names() == []


def test_the_demo_model_is_offered_none(user: User, settings: Settings) -> None:
    settings.OPENAI_API_KEY = settings.OPENAI_BASE_URL = ""
    assert not llm.takes_tools(llm.default_model())
    assert offers.offer_to(user.pk, off=(), allowed=()).tools


async def test_a_programs_own_request_has_no_tools_of_the_site(
    user: User, turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(reply("Hello."))
    asked = await sync_to_async(turns.send)(user, text="Hi", options={"max_tokens": 5})
    await text_at_end(engine, asked.reply)
    assert "tools" not in provider.chats[0].json
