"""What a person does, told to the reply engine by the verb itself, once it is stored."""

from collections.abc import AsyncIterator, Callable

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from accounts.models import User
from conversations.actions import branches, organizing, turns
from conversations.actions.turns import Turn
from conversations.models import Conversation, Generation, Message, Status
from conversations.replies import dispatch
from conversations.replies import engine as engine_module
from conversations.replies.dispatch import Audience
from conversations.replies.engine import ReplyEngine
from tests.kit.provider import ScriptedProvider, reply
from tests.support.replying import gated, until, until_stored

pytestmark = pytest.mark.django_db(transaction=True)

Asking = Callable[[Message], Message]


@pytest.fixture
async def serving(turn: Turn) -> AsyncIterator[ReplyEngine]:
    """The engine of a process that serves, and that has just begun to, so that it was told nothing of the turn."""
    dispatch.serve()
    yield dispatch.engine()
    await dispatch.engine().shut_down()


def knows_of_a_reply(engine: ReplyEngine) -> bool:
    return any(engine.counts().values())


def retried(failed: Message) -> Message:
    return turns.retry(failed)


def resumed(failed: Message) -> Message:
    turns.resume(failed)
    return failed


def edited(failed: Message) -> Message:
    assert failed.parent
    return branches.edit(failed.parent, text="Said differently").reply


@pytest.mark.parametrize("ask", [retried, resumed, edited, branches.regenerate])
async def test_a_reply_that_is_asked_for_again_is_made_though_nobody_watches(
    turn: Turn, serving: ReplyEngine, provider: ScriptedProvider, ask: Asking
) -> None:
    provider.play(reply("and day."))
    failed = turn.reply
    failed.content = "Good " if ask is resumed else ""
    await Message.objects.filter(pk=failed.pk).aupdate(content=failed.content)
    await Generation.objects.filter(pk=failed.pk).aupdate(status=Status.FAILED)
    answer = await sync_to_async(ask)(failed)
    await until_stored(answer, lambda stored: stored.generation.status == Status.COMPLETE)


async def test_who_watches_says_whether_a_turn_is_begun_at_once(
    user: User, serving: ReplyEngine, provider: ScriptedProvider
) -> None:
    provider.play(reply("Good day."), reply("Good day."))
    await sync_to_async(turns.send)(user, text="I ask, and watch", audience=Audience.CALLER)
    assert not knows_of_a_reply(serving)
    for audience in (Audience.NOBODY, Audience.PAGE):
        sent = await sync_to_async(turns.send)(user, text="Somebody else may watch", audience=audience)
        await until_stored(sent.reply, lambda stored: stored.content == "Good day.")


async def test_a_turn_that_was_not_stored_after_all_is_begun_nowhere(user: User, serving: ReplyEngine) -> None:
    @sync_to_async
    def send_in_vain() -> None:
        with transaction.atomic():
            turns.send(user, text="Hello")
            transaction.set_rollback(True)

    await send_in_vain()
    assert not knows_of_a_reply(serving)


async def test_a_turn_that_is_sent_twice_and_has_ended_is_not_begun_again(
    turn: Turn, user: User, serving: ReplyEngine
) -> None:
    await Generation.objects.filter(pk=turn.reply.pk).aupdate(status=Status.FAILED)
    again = await sync_to_async(turns.send)(user, text="Hello", turn=turn.message.pk)
    assert again.reply == turn.reply
    assert not knows_of_a_reply(serving)


def stop(turn: Turn) -> None:
    turns.stop(turn.reply)


def throw_away(turn: Turn) -> None:
    # As staff do it, in a transaction of their own.
    with transaction.atomic():
        organizing.trash(Conversation.objects.filter(pk=turn.conversation.pk))


@pytest.mark.parametrize("end", [stop, throw_away])
async def test_a_reply_that_is_made_here_ends_at_once(
    turn: Turn,
    serving: ReplyEngine,
    provider: ScriptedProvider,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[Turn], None],
) -> None:
    # No look at the database tells the engine.
    monkeypatch.setattr(engine_module, "CHECKPOINT_INTERVAL", 3600.0)
    provider.play(gated("Good ", "day"))
    await until(serving, turn.reply, lambda text: text == "Good ")
    await sync_to_async(end)(turn)
    ended = await until_stored(turn.reply, lambda stored: stored.generation.status == Status.STOPPED)
    assert ended.content == "Good "
