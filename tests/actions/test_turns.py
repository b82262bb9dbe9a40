"""What a person can do in a conversation."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from conversations.actions import organizing, turns
from conversations.errors.gone import ConversationGone
from conversations.models import Conversation, Generation, Message, Status, TurnWindow
from tests.factories import ConversationFactory, ReplyFactory, exchange

pytestmark = pytest.mark.django_db


def test_the_first_message_makes_the_conversation(user: User) -> None:
    turn = turns.send(user, text="What is the capital of France?")
    assert turn.conversation.title == "What is the capital of France?"
    assert turn.message.content == "What is the capital of France?"
    assert turn.reply.parent == turn.message
    assert turn.reply.generation.status == Status.PENDING


def test_a_turn_moves_its_conversation_to_the_top(user: User) -> None:
    old = ConversationFactory.create(user=user, updated_at=timezone.now() - timedelta(days=3))
    ConversationFactory.create(user=user)
    turns.send(user, text="Hello again", conversation=old)
    assert Conversation.objects.owned_by(user).newest_first().first() == old


def test_a_turn_follows_the_last_message(user: User) -> None:
    answer = exchange(ConversationFactory.create(user=user), "Hello", "Good day")
    turn = turns.send(user, text="And you?", conversation=answer.conversation)
    assert turn.message.parent == answer


def test_the_same_turn_twice_is_stored_once(user: User) -> None:
    key = uuid4()
    first = turns.send(user, text="Hello", turn=key)
    second = turns.send(user, text="Hello", turn=key)
    assert first == second
    assert Conversation.objects.count() == 1
    assert Message.objects.count() == 2


def test_another_text_with_the_same_key_is_refused(user: User) -> None:
    key = uuid4()
    turns.send(user, text="Hello", turn=key)
    with pytest.raises(turns.TurnTaken):
        turns.send(user, text="Hello, and more", turn=key)


def test_the_same_key_in_another_conversation_is_refused(user: User) -> None:
    key = uuid4()
    turns.send(user, text="Hello", turn=key)
    with pytest.raises(turns.TurnTaken):
        turns.send(user, text="Hello", turn=key, conversation=ConversationFactory.create(user=user))


def test_a_conversation_that_was_deleted_meanwhile_is_gone(user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    Conversation.objects.all().delete()
    with pytest.raises(ConversationGone):
        turns.send(user, text="Hello", conversation=conversation)
    with pytest.raises(ConversationGone):
        organizing.rename(conversation, title="New")


def test_another_persons_turn_is_not_found(user: User, stranger: User) -> None:
    theirs = turns.send(stranger, text="Private")
    with pytest.raises(turns.TurnTaken):
        turns.send(user, text="Hello", turn=theirs.message.pk)


@pytest.mark.django_db(transaction=True)
def test_four_equal_posts_at_once_are_one_turn(user: User) -> None:
    key = uuid4()

    def post(_: int) -> UUID:
        try:
            return turns.send(user, text="Hello", turn=key).reply.pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        replies = set(pool.map(post, range(4)))
    assert len(replies) == 1
    assert Conversation.objects.count() == 1
    assert Message.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_different_turns_at_once_one_wins(user: User) -> None:
    conversation = ConversationFactory.create(user=user)

    def post(number: int) -> bool:
        try:
            turns.send(user, text=f"Hello {number}", conversation=conversation)
        except turns.ReplyInProgress:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(post, range(4))) == 1
    assert conversation.messages.count() == 2


def test_a_second_turn_while_a_reply_is_open_is_refused(user: User) -> None:
    turn = turns.send(user, text="Hello")
    with pytest.raises(turns.ReplyInProgress):
        turns.send(user, text="Are you there?", conversation=turn.conversation)
    assert turn.conversation.messages.count() == 2


def test_too_many_turns_in_a_minute_are_refused(user: User, settings: Settings) -> None:
    settings.CHAT_TURNS_PER_MINUTE = 2
    turns.send(user, text="One")
    turns.send(user, text="Two")
    with pytest.raises(turns.TooManyTurns):
        turns.send(user, text="Three")
    TurnWindow.objects.update(began_at=timezone.now() - timedelta(seconds=61))
    turns.send(user, text="Three")


def test_neither_deleting_nor_retrying_gets_around_the_limit(user: User, settings: Settings) -> None:
    settings.CHAT_TURNS_PER_MINUTE = 2
    turns.send(user, text="One").conversation.delete()
    reply = turns.send(user, text="Two").reply
    turns.stop(reply)
    with pytest.raises(turns.TooManyTurns):
        turns.retry(reply)
    with pytest.raises(turns.TooManyTurns):
        turns.send(user, text="Three")


@pytest.mark.parametrize("status", [Status.PENDING, Status.INTERRUPTED])
def test_stopping_a_reply_that_nobody_makes_keeps_its_draft(status: Status) -> None:
    reply = ReplyFactory.create(content="", generation__status=status, generation__draft="Half an ans")
    turns.stop(reply)
    reply = Message.objects.select_related("generation").get(pk=reply.pk)
    assert reply.generation.status == Status.STOPPED
    assert reply.content == "Half an ans"


def test_stopping_a_running_reply_asks_its_maker() -> None:
    reply = ReplyFactory.create(generation__status=Status.RUNNING, generation__heartbeat_at=timezone.now())
    turns.stop(reply)
    generation = Generation.objects.get(pk=reply.pk)
    assert generation.status == Status.RUNNING
    assert generation.stop_requested_at


def test_stopping_an_ended_reply_changes_nothing() -> None:
    reply = ReplyFactory.create(content="All of it")
    turns.stop(reply)
    reply = Message.objects.select_related("generation").get(pk=reply.pk)
    assert (reply.generation.status, reply.content) == (Status.COMPLETE, "All of it")


def test_a_retry_opens_a_failed_reply_again() -> None:
    reply = ReplyFactory.create(
        content="",
        generation__status=Status.FAILED,
        generation__error_code="provider_timeout",
        generation__error="…",
    )
    assert turns.retry(reply) == reply
    generation = Generation.objects.get(pk=reply.pk)
    assert (generation.status, generation.error_code) == (Status.PENDING, "")


def test_a_complete_reply_cannot_be_retried() -> None:
    with pytest.raises(turns.NothingToRetry):
        turns.retry(ReplyFactory.create())


def test_a_retry_while_another_reply_is_open_is_refused(user: User) -> None:
    failed = ReplyFactory.create(conversation__user=user, generation__status=Status.FAILED)
    turns.send(user, text="Next", conversation=failed.conversation)
    with pytest.raises(turns.ReplyInProgress):
        turns.retry(failed)
