"""What a conversation asks of the model: which one, told what, how daring."""

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from conversations.actions import turns
from conversations.models import Conversation, Generation
from conversations.replies.engine import ReplyEngine
from tests.kit.provider import ScriptedProvider, error, reply
from tests.support.replying import stored, text_at_end

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_provider_is_asked_what_the_conversation_says(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_MODELS = ["large", "small"]
    settings.CHAT_SYSTEM_PROMPT = "Be kind."
    await Conversation.objects.aupdate(model="small", system_prompt="Speak French.", temperature=0.3)
    await text_at_end(engine, turn.reply)
    asked = provider.chats[0].json
    assert (asked["model"], asked["temperature"]) == ("small", 0.3)
    assert asked["messages"][0] == {"role": "system", "content": "Be kind.\n\nSpeak French."}
    assert (await stored(turn.reply)).generation.model == "small"


async def test_a_conversation_without_choices_leaves_them_to_site_and_provider(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_MODELS = ["large", "small"]
    await text_at_end(engine, turn.reply)
    asked = provider.chats[0].json
    assert asked["model"] == "large"
    assert "temperature" not in asked
    assert asked["messages"][0]["content"] == settings.CHAT_SYSTEM_PROMPT


async def test_the_model_stored_with_the_reply_is_the_one_to_ask(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_MODELS = ["large", "small", "tiny"]
    await Conversation.objects.aupdate(model="small")
    await Generation.objects.aupdate(model="tiny")
    await text_at_end(engine, turn.reply)
    assert provider.chats[0].json["model"] == "tiny"
    assert (await stored(turn.reply)).generation.model == "tiny"


async def test_a_removed_model_gives_way_to_the_default(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_MODELS = ["large"]
    await Conversation.objects.aupdate(model="gone")
    await text_at_end(engine, turn.reply)
    assert provider.chats[0].json["model"] == "large"
    assert (await stored(turn.reply)).generation.model == "large"


async def test_a_reply_names_the_model_that_the_provider_listed_first(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.models[:] = ["mistral", "qwen"]
    await text_at_end(engine, turn.reply)
    assert (await stored(turn.reply)).generation.model == "mistral"


async def test_a_retry_asks_no_missing_model_again(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_MODELS = ["large", "small"]
    await Conversation.objects.aupdate(model="small")
    provider.play(error(404, "model 'small' not found"), reply("Here it is."))
    await text_at_end(engine, turn.reply)
    assert (await stored(turn.reply)).generation.error_code == "provider_model"
    await Conversation.objects.aupdate(model="large")
    await sync_to_async(turns.retry)(turn.reply)
    assert await text_at_end(engine, turn.reply) == "Here it is."
    assert (await stored(turn.reply)).generation.model == "large"


async def test_a_retry_asks_the_same_model_after_another_failure(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_MODELS = ["large", "small"]
    await Generation.objects.aupdate(model="small")
    provider.play(error(401, "no"), reply("Here it is."))
    await text_at_end(engine, turn.reply)
    await sync_to_async(turns.retry)(turn.reply)
    assert await text_at_end(engine, turn.reply) == "Here it is."
    assert [chat.json["model"] for chat in provider.chats] == ["small", "small"]
