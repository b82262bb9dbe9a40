"""How many replies may run at once, of a person and in a process, and what is said at the limit."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from conversations.actions import turns
from conversations.models import Generation, Message, Status
from conversations.replies.engine import ReplyEngine
from tests.factories import ConversationFactory, ReplyFactory, exchange
from tests.kit.provider import ScriptedProvider, reply, stream
from tests.kit.provider.script import END, Raw, Reasoning, Text
from tests.kit.server import ChatServer
from tests.support.pages import HTMX
from tests.support.replying import gated, stored, text_at_end, until
from tests.support.viewer import Stream

pytestmark = pytest.mark.django_db(transaction=True)


def running(user: User, count: int = 1) -> list[Message]:
    """Open replies of `user`, one conversation each."""
    replies: list[Message] = ReplyFactory.create_batch(
        count, conversation__user=user, content="", generation__status=Status.RUNNING
    )
    return replies


def test_a_turn_past_the_persons_limit_is_stored_and_its_reply_has_failed(user: User, settings: Settings) -> None:
    settings.CHAT_REPLIES_PER_USER = 2
    running(user, 2)
    turn = turns.send(user, text="One more")
    assert turn.message.content == "One more"
    generation = Generation.objects.get(pk=turn.reply.pk)
    assert (generation.status, generation.error_code) == (Status.FAILED, "too_many_replies")
    assert (generation.error, generation.error_params) == ("", {"limit": 2})
    assert "as this site allows: 2." in generation.sentence
    assert generation.finished_at


def test_what_others_run_and_what_has_ended_does_not_count(user: User, stranger: User, settings: Settings) -> None:
    settings.CHAT_REPLIES_PER_USER = 1
    running(stranger, 3)
    exchange(ConversationFactory.create(user=user), "Hello", "Good day")
    assert turns.send(user, text="Hello").reply.generation.is_open


def test_a_retry_past_the_persons_limit_is_refused_and_leaves_the_reply_as_it_was(
    user: User, settings: Settings
) -> None:
    settings.CHAT_REPLIES_PER_USER = 1
    (other,) = running(user)
    failed = turns.send(user, text="One more").reply
    before = Generation.objects.values().get(pk=failed.pk)
    with pytest.raises(turns.TooManyReplies):
        turns.retry(failed)
    assert Generation.objects.values().get(pk=failed.pk) == before
    Generation.objects.filter(pk=other.pk).update(status=Status.COMPLETE)
    turns.retry(failed)
    assert Generation.objects.get(pk=failed.pk).status == Status.PENDING


def test_no_turn_overtakes_an_open_reply_at_the_limit(user: User, settings: Settings) -> None:
    settings.CHAT_REPLIES_PER_USER = 1
    (other,) = running(user)
    with pytest.raises(turns.ReplyInProgress):
        turns.send(user, text="Hurry", conversation=other.conversation)
    assert not Message.objects.filter(content="Hurry").exists()


def test_of_many_turns_at_once_exactly_as_many_run_as_are_allowed(user: User, settings: Settings) -> None:
    settings.CHAT_REPLIES_PER_USER = 3

    def post(number: int) -> bool:
        try:
            return bool(turns.send(user, text=f"Hello {number}").reply.generation.is_open)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(post, range(16))) == 3
    assert Message.objects.filter(role="user").count() == 16
    assert Generation.objects.open().count() == 3


def test_the_page_shows_the_sentence_and_retry_at_the_persons_limit(
    user: User, signed_in: Client, settings: Settings
) -> None:
    settings.CHAT_REPLIES_PER_USER = 1
    running(user)
    conversation = exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation
    html = signed_in.post(conversation.get_absolute_url(), {"message": "One more"}, headers=HTMX).content.decode()
    assert "One more" in html
    assert "as this site allows" in html
    assert "Retry" in html
    assert "data-stream" not in html
    assert "The reply ended early." in html
    failed = Message.objects.get(role="assistant", content="", generation__status=Status.FAILED)
    response = signed_in.post(f"/messages/{failed.pk}/retry/", headers=HTMX)
    assert response.status_code == 429
    assert "as this site allows" in response.content.decode()


async def test_a_reply_past_the_processs_limit_fails_without_asking_the_model(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, stranger: User, settings: Settings
) -> None:
    settings.CHAT_REPLIES_PER_PROCESS = 1
    provider.play(gated("One ", "two."), reply("Here it is."))
    refused = await sync_to_async(turns.send)(stranger, text="Me too")
    await until(engine, turn.reply, lambda text: text == "One ")
    assert await text_at_end(engine, refused.reply) == ""
    generation = (await stored(refused.reply)).generation
    assert (generation.status, generation.error_code) == (Status.FAILED, "server_busy")
    assert generation.sentence.startswith("This server is writing as many replies as it can")
    assert len(provider.chats) == 1
    provider.gate("next0").open()
    assert await text_at_end(engine, turn.reply) == "One two."
    await sync_to_async(turns.retry)(refused.reply)
    assert await text_at_end(engine, refused.reply) == "Here it is."


async def test_another_process_has_room_of_its_own(
    turn: turns.Turn,
    engine: ReplyEngine,
    other_engine: ReplyEngine,
    provider: ScriptedProvider,
    stranger: User,
    settings: Settings,
) -> None:
    settings.CHAT_REPLIES_PER_PROCESS = 1
    provider.play(gated("One ", "two."), reply("Here it is."))
    other = await sync_to_async(turns.send)(stranger, text="Me too")
    await until(engine, turn.reply, lambda text: text == "One ")
    assert await text_at_end(other_engine, other.reply) == "Here it is."


def test_the_stream_ends_with_the_sentence_at_the_processs_limit(
    user: User, stranger: User, provider: ScriptedProvider
) -> None:
    provider.play(gated("One ", "two."))
    first, second = turns.send(user, text="Count"), turns.send(stranger, text="Me too")
    with (
        ChatServer(OPENAI_BASE_URL=provider.url, CHAT_REPLIES_PER_PROCESS="1") as server,
        Stream(server, user, first.reply) as viewer,
    ):
        events = viewer.events()
        while "One" not in next(events)[1]:
            pass
        with Stream(server, stranger, second.reply) as other:
            name, html = other.last()
        provider.gate("next0").open()
        *_, (_, answered) = events
    assert name == "end"
    assert "This server is writing as many replies as it can" in html
    assert "Retry" in html
    assert "One two." in answered
    assert len(provider.chats) == 1


async def test_a_reply_that_never_ends_is_stopped_and_its_text_kept(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_REPLY_MAX_CHARS = 10
    provider.play(gated("On and on ", "and on ", "for ever"))
    await until(engine, turn.reply, lambda text: text == "On and on ")
    provider.gate("next0").open()
    assert await text_at_end(engine, turn.reply) == "On and on and on "
    message = await stored(turn.reply)
    assert message.content == "On and on and on "
    assert message.generation.error_code == "reply_too_long"
    assert (message.generation.error, message.generation.error_params) == ("", {"limit": 10})
    assert "10 characters" in message.generation.sentence


@pytest.mark.parametrize("piece", [Text("On " * 500_000), Reasoning("Hm " * 500_000)])
async def test_a_piece_of_any_size_is_kept_within_the_limit(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings, piece: Text | Reasoning
) -> None:
    settings.CHAT_REPLY_MAX_CHARS = 1_000
    provider.play(stream(piece, piece, *END))
    await text_at_end(engine, turn.reply)
    message = await stored(turn.reply)
    assert message.generation.error_code == "reply_too_long"
    assert 1_000 < len(message.content + message.generation.reasoning) < 10_000


async def test_tool_calls_without_end_are_too_long_an_answer(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_REPLY_MAX_CHARS = 10_000
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "x" * 1_000}}
    chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
    calls = [Raw(b"data: " + json.dumps(chunk).encode() + b"\n\n")] * 20
    provider.play(stream(Text("Word"), *calls, *END))
    assert await text_at_end(engine, turn.reply) == "Word"
    assert (await stored(turn.reply)).generation.error_code == "reply_too_long"
