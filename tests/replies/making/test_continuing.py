"""A reply that goes on where its text ended, and never loses what it had."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone
from pytest_django import Settings

from conversations.actions import turns
from conversations.models import Generation, Message, Status, TurnWindow
from conversations.replies import context, leases
from conversations.replies.engine import ReplyEngine
from tests.factories import ConversationFactory, MessageFactory, ReplyFactory
from tests.kit.provider import END, Done, Gate, Reasoning, ScriptedProvider, Text, error, reply, stream
from tests.kit.provider import Finish as FinishStep
from tests.kit.provider import Usage as UsageStep
from tests.kit.provider.recorded import recorded
from tests.support.replying import gated, stored, text_at_end, until, until_stored

pytestmark = pytest.mark.django_db(transaction=True)

CUT = stream(Text("cut at the lim"), FinishStep("length"), Done())


@pytest.fixture
async def cut(turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider) -> Message:
    """A reply that was cut at the model's limit."""
    provider.play(CUT)
    await text_at_end(engine, turn.reply)
    return await stored_with_conversation(turn.reply)


@sync_to_async
def stored_with_conversation(message: Message) -> Message:
    return Message.objects.select_related("generation", "conversation", "user").get(pk=message.pk)


resume = sync_to_async(turns.resume)


async def test_the_finish_reason_is_kept(turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider) -> None:
    provider.play(recorded("finish-length"))
    assert await text_at_end(engine, turn.reply) == "cut of"
    generation = (await stored(turn.reply)).generation
    assert (generation.status, generation.finish_reason, generation.is_cut) == (Status.COMPLETE, "length", True)


@pytest.mark.parametrize(("word", "kept"), [("stop", "stop"), ("MAX_TOKENS", "length"), ("x" * 99, "x" * 50)])
async def test_the_providers_word_is_kept(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider, word: str, kept: str
) -> None:
    provider.play(stream(Text("All."), FinishStep(word), Done()))
    await text_at_end(engine, turn.reply)
    assert (await stored(turn.reply)).generation.finish_reason == kept


async def test_reasoning_that_use_up_the_limit_say_so(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(stream(Reasoning("Long thoughts that use up the whole budget"), FinishStep("length"), Done()))
    await text_at_end(engine, turn.reply)
    generation = (await stored(turn.reply)).generation
    assert (generation.error_code, generation.finish_reason) == ("cut_before_answer", "length")
    assert "limit" in generation.sentence
    assert generation.reasoning == "Long thoughts that use up the whole budget"


async def test_a_cut_reply_goes_on_where_it_ended(
    cut: Message, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(reply("it, as it should."))
    await resume(cut)
    assert await text_at_end(engine, cut) == "cut at the limit, as it should."
    message = await stored(cut)
    assert message.content == "cut at the limit, as it should."
    generation = message.generation
    assert (generation.status, generation.finish_reason) == (Status.COMPLETE, "stop")
    assert (generation.continues, generation.draft) == (False, "")
    assert [(said["role"], said["content"]) for said in provider.chats[1].json["messages"][1:]] == [
        ("user", "Hello"),
        ("assistant", "cut at the lim"),
        ("user", context.GO_ON),
    ]


async def test_the_text_is_there_from_the_first_moment_on(
    cut: Message, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(stream(Gate("first"), Text("it."), *END))
    await resume(cut)
    assert (await stored(cut)).generation.draft == "cut at the lim"
    seen: list[str] = []
    async for live in engine.watch(cut.pk):
        seen.append(live.text)
        assert live.restarts == 0
        provider.gate("first").open()
        if live.ended:
            break
    assert (seen[0], seen[-1]) == ("cut at the lim", "cut at the limit.")
    assert await text_at_end(other_engine, cut) == "cut at the limit."


async def test_another_process_follows_it(
    cut: Message, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(gated("it", "."))
    await resume(cut)
    engine.join(cut.pk)
    await until(other_engine, cut, lambda text: text == "cut at the limit")
    provider.gate("next0").open()
    assert await text_at_end(other_engine, cut) == "cut at the limit."


@pytest.mark.usefixtures("midday")
async def test_it_goes_on_again_and_again_and_its_tokens_are_counted_each_once(
    cut: Message, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    used = (await TurnWindow.objects.aget(user=cut.user)).day_tokens
    await Generation.objects.filter(pk=cut.pk).aupdate(prompt_tokens=10, completion_tokens=4)
    provider.play(
        stream(Text("it, "), FinishStep("length"), UsageStep(20, 5), Done()),
        stream(Text("and on"), FinishStep("stop"), UsageStep(30, 6), Done()),
    )
    for _ in range(2):
        await resume(cut)
        await text_at_end(engine, cut)
    message = await stored(cut)
    assert message.content == "cut at the limit, and on"
    assert (message.generation.prompt_tokens, message.generation.completion_tokens) == (60, 15)
    assert (await TurnWindow.objects.aget(user=cut.user)).day_tokens == used + 25 + 36


@pytest.mark.usefixtures("midday")
async def test_what_is_estimated_leaves_out_what_was_there(
    cut: Message, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    used = (await TurnWindow.objects.aget(user=cut.user)).day_tokens
    provider.play(stream(Text("it."), FinishStep(), Done()))
    await resume(cut)
    await text_at_end(engine, cut)
    asked = sum(context.estimate_tokens(said["content"]) for said in provider.chats[1].json["messages"])
    assert (await TurnWindow.objects.aget(user=cut.user)).day_tokens == used + asked + context.estimate_tokens("it.")


async def test_one_that_fails_at_once_keeps_the_text_and_can_go_on_again(
    cut: Message, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(error(401, "no such key"), reply("it."))
    await resume(cut)
    assert await text_at_end(engine, cut) == "cut at the lim"
    message = await stored(cut)
    assert (message.content, message.generation.error_code) == ("cut at the lim", "provider_key")
    await resume(cut)
    assert await text_at_end(engine, cut) == "cut at the limit."
    assert (await stored(cut)).generation.error_code == ""


async def test_one_that_breaks_off_keeps_both_parts(
    cut: Message, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(stream(Text("it and ")), reply("more."))
    await resume(cut)
    assert await text_at_end(engine, cut) == "cut at the limit and "
    assert (await stored(cut)).generation.error_code == "provider_broke_off"
    await resume(cut)
    assert await text_at_end(engine, cut) == "cut at the limit and more."


@pytest.mark.parametrize("pieces", [("",), ("it ",)], ids=["before a word", "after one"])
async def test_one_that_is_stopped_keeps_what_came(
    cut: Message, engine: ReplyEngine, provider: ScriptedProvider, pieces: tuple[str]
) -> None:
    (piece,) = pieces
    provider.play(stream(*([Text(piece)] if piece else []), Gate("never"), Text("x"), *END))
    await resume(cut)
    engine.join(cut.pk)
    await asyncio.to_thread(provider.gate("never").wait_reached)
    await until(engine, cut, lambda text: text == "cut at the lim" + piece)
    engine.stop(cut.pk)
    assert await text_at_end(engine, cut) == "cut at the lim" + piece
    message = await stored(cut)
    assert (message.content, message.generation.status) == ("cut at the lim" + piece, Status.STOPPED)


async def test_one_that_nobody_has_begun_is_stopped_with_its_text(cut: Message) -> None:
    await resume(cut)
    await sync_to_async(turns.stop)(cut)
    message = await stored(cut)
    assert (message.content, message.generation.status) == ("cut at the lim", Status.STOPPED)
    assert not message.generation.continues


async def test_one_whose_worker_died_goes_on_from_what_was_saved(
    cut: Message, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    await resume(cut)
    await Generation.objects.filter(pk=cut.pk).aupdate(
        status=Status.RUNNING,
        worker="dead",
        draft="cut at the limit, ",
        heartbeat_at=timezone.now() - timedelta(seconds=16),
    )
    provider.play(reply("and on."))
    assert await text_at_end(engine, cut) == "cut at the limit, and on."
    assert provider.chats[1].json["messages"][2]["content"] == "cut at the limit, "


async def test_one_whose_worker_died_before_it_saved_goes_on_from_its_text(
    cut: Message, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    await resume(cut)
    dead = timezone.now() - timedelta(seconds=16)
    await Generation.objects.filter(pk=cut.pk).aupdate(
        status=Status.RUNNING, worker="dead", draft="", heartbeat_at=dead
    )
    provider.play(error(401, "no such key"))
    assert await text_at_end(engine, cut) == "cut at the lim"
    assert (await stored(cut)).content == "cut at the lim"


async def test_one_that_is_handed_back_goes_on_in_the_next_process(
    cut: Message, engine: ReplyEngine, other_engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(stream(Text("it"), Gate("never"), *END), reply("."))
    await resume(cut)
    engine.join(cut.pk)
    await until(engine, cut, lambda text: text == "cut at the limit")
    await engine.shut_down()
    message = await stored(cut)
    assert (message.generation.status, message.generation.draft) == (Status.INTERRUPTED, "cut at the limit")
    assert message.content == "cut at the lim"
    assert await text_at_end(other_engine, cut) == "cut at the limit."


async def test_a_model_that_has_nothing_to_add_completes_it(
    cut: Message, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(stream(FinishStep(), Done()))
    await resume(cut)
    assert await text_at_end(engine, cut) == "cut at the lim"
    generation = (await stored(cut)).generation
    assert (generation.status, generation.finish_reason) == (Status.COMPLETE, "stop")


async def test_the_reasoning_is_kept_and_added_to(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(
        stream(Reasoning("First."), Text("One "), FinishStep("length"), Done()),
        stream(Reasoning("Second."), Text("two "), FinishStep("length"), Done()),
        stream(Text("Third."), Text("</think>three"), FinishStep(), Done()),
    )
    await text_at_end(engine, turn.reply)
    for text in ("One two ", "One two three"):
        await resume(await stored_with_conversation(turn.reply))
        assert await text_at_end(engine, turn.reply) == text
    message = await stored(turn.reply)
    assert (message.content, message.generation.reasoning) == ("One two three", "First.\n\nSecond.\n\nThird.")


async def test_a_stopped_and_a_failed_reply_with_text_go_on_too(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(stream(Text("Half ")), reply("whole."))
    await text_at_end(engine, turn.reply)
    assert (await stored(turn.reply)).generation.status == Status.FAILED
    await resume(await stored_with_conversation(turn.reply))
    assert await text_at_end(engine, turn.reply) == "Half whole."


async def test_a_long_text_leaves_room_for_its_question(
    cut: Message, engine: ReplyEngine, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_CONTEXT_TOKENS = 1_000
    said = "".join(f"{number} " for number in range(2_000))
    await Message.objects.filter(pk=cut.pk).aupdate(content=said)
    provider.play(reply("end"))
    await resume(cut)
    assert await text_at_end(engine, cut) == said + "end"
    _, question, begun, go_on = (message["content"] for message in provider.chats[1].json["messages"])
    assert (question, go_on) == ("Hello", context.GO_ON)
    assert said.endswith(begun)
    assert 300 < len(begun) < len(said)


@pytest.mark.parametrize(
    "fields",
    [
        {"content": "All.", "generation__finish_reason": "stop"},
        {"content": "", "generation__status": Status.STOPPED},
        {"content": " \n", "generation__status": Status.FAILED},
        {"content": "x", "generation__status": Status.FAILED, "generation__error_code": "reply_too_long"},
        {"content": "x", "generation__status": Status.PENDING},
    ],
)
def test_what_has_no_end_to_go_on_from_is_refused(fields: dict[str, object]) -> None:
    message = ReplyFactory.create(**fields)
    with pytest.raises((turns.NothingToContinue, turns.ReplyInProgress)):
        turns.resume(message)


def test_only_the_end_of_a_branch_goes_on() -> None:
    conversation = ConversationFactory.create()
    message = ReplyFactory.create(conversation=conversation, generation__finish_reason="length")
    MessageFactory.create(conversation=conversation)
    with pytest.raises(turns.NothingToContinue):
        turns.resume(message)
    assert Generation.objects.get(pk=message.pk).status == Status.COMPLETE


def test_its_branch_is_then_the_chosen_one() -> None:
    conversation = ConversationFactory.create()
    question = MessageFactory.create(conversation=conversation)
    message = ReplyFactory.create(conversation=conversation, parent=question, generation__finish_reason="length")
    ReplyFactory.create(conversation=conversation, parent=question)
    turns.resume(message)
    conversation.refresh_from_db()
    assert conversation.current_message == message


def test_it_counts_as_a_turn(settings: Settings) -> None:
    settings.CHAT_TURNS_PER_MINUTE = 1
    first, second = (ReplyFactory.create(generation__finish_reason="length") for _ in range(2))
    second.user = first.user
    turns.resume(first)
    with pytest.raises(turns.TooManyTurns):
        turns.resume(second)
    assert Generation.objects.get(pk=second.pk).status == Status.COMPLETE


def test_a_person_with_enough_open_replies_has_to_wait(settings: Settings) -> None:
    settings.CHAT_REPLIES_PER_USER = 0
    message = ReplyFactory.create(generation__finish_reason="length")
    with pytest.raises(turns.TooManyReplies):
        turns.resume(message)
    assert Generation.objects.get(pk=message.pk).status == Status.COMPLETE


def test_a_retry_forgets_that_it_was_to_go_on() -> None:
    message = ReplyFactory.create(generation__finish_reason="length")
    turns.resume(message)
    turns.stop(message)
    Message.objects.filter(pk=message.pk).update(content="")
    message.content = ""
    turns.retry(message)
    claim = leases.claim(message.pk, worker="worker")
    assert claim
    assert claim.begun == ""


def test_a_retry_keeps_a_reply_that_has_text_as_an_alternative() -> None:
    for status in (Status.STOPPED, Status.FAILED):
        message = ReplyFactory.create(content="Half", generation__status=status, generation__model="small")
        answer = turns.retry(message)
        assert answer != message
        assert answer.parent_id == message.parent_id
        assert (answer.generation.status, answer.generation.model) == (Status.PENDING, "small")
        kept = Message.objects.select_related("generation", "conversation").get(pk=message.pk)
        assert (kept.content, kept.generation.status) == ("Half", status)
        assert kept.conversation.current_message_id == answer.pk


def test_a_retry_of_what_the_model_cannot_do_asks_the_one_that_is_chosen_now() -> None:
    for code in ("provider_model", "context_too_long", "message_too_long", "provider_instructions"):
        message = ReplyFactory.create(
            content="",
            generation__status=Status.FAILED,
            generation__error_code=code,
            generation__model="small",
        )
        turns.retry(message)
        assert Generation.objects.get(pk=message.pk).model == ""


async def test_a_first_message_that_is_too_long_is_told_in_words_of_its_own(
    turn: turns.Turn, engine: ReplyEngine, provider: ScriptedProvider
) -> None:
    too_long = error(400, "This model's maximum context length is 8 tokens", code="context_length_exceeded")
    provider.play(too_long)
    await text_at_end(engine, turn.reply)
    generation = (await stored(turn.reply)).generation
    assert generation.error_code == "message_too_long"
    assert "Shorten it" in generation.sentence
    assert "maximum context length" in generation.error_detail
    provider.play(reply("Better."), too_long)
    shorter = await sync_to_async(turns.send)(turn.message.user, text="Hi", conversation=turn.conversation)
    await text_at_end(engine, shorter.reply)
    longer = await sync_to_async(turns.send)(turn.message.user, text="Long", conversation=turn.conversation)
    await text_at_end(engine, longer.reply)
    message = await until_stored(longer.reply, lambda found: found.generation.status == Status.FAILED)
    assert message.generation.error_code == "context_too_long"
