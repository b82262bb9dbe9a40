"""What a person can do with conversations as a whole: pin, archive, throw away, restore, delete for ever."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from conversations.actions import organizing, turns
from conversations.errors.gone import ConversationGone
from conversations.models import Conversation, ConversationQuerySet, Generation, Message, Status
from conversations.pages.lists import conversation_list
from tests.factories import ConversationFactory, ReplyFactory, exchange

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(user: User) -> ConversationQuerySet:
    """Three conversations of a person who has more."""
    keys = [exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation_id for _ in range(3)]
    ConversationFactory.create(user=user)
    found: ConversationQuerySet = Conversation.objects.owned_by(user).filter(pk__in=keys)
    return found


def test_what_is_pinned_stands_above_the_others_the_last_one_first(user: User, three: ConversationQuerySet) -> None:
    old, new = three.order_by("id")[0], three.order_by("id")[2]
    for conversation in (new, old):
        assert organizing.pin(three.filter(pk=conversation.pk)).count == 1
    listed = conversation_list(user)
    assert listed["pinned"] == [old, new]
    assert len(listed["conversation_groups"][0].conversations) == 2
    assert organizing.unpin(three).count == 2
    assert conversation_list(user)["pinned"] == []


def test_pinning_what_is_pinned_leaves_its_place(three: ConversationQuerySet) -> None:
    organizing.pin(three)
    before = list(three.values_list("pinned_at", flat=True))
    assert organizing.pin(three).count == 0
    assert list(three.values_list("pinned_at", flat=True)) == before


def test_there_is_a_limit_to_what_is_pinned(user: User, stranger: User) -> None:
    for owner in (user, stranger):
        ConversationFactory.create_batch(organizing.PINNED_MAX, user=owner, pinned_at=timezone.now())
    one_more = ConversationFactory.create(user=user)
    with pytest.raises(organizing.TooManyPinned):
        organizing.pin(Conversation.objects.filter(pk=one_more.pk))
    organizing.archive(Conversation.objects.owned_by(user).exclude(pinned_at=None))
    assert organizing.pin(Conversation.objects.filter(pk=one_more.pk)).count == 1


def test_what_is_archived_is_out_of_the_list_and_comes_back(user: User, three: ConversationQuerySet) -> None:
    assert organizing.archive(three).count == 3
    assert Conversation.objects.owned_by(user).listed().count() == 1
    assert Conversation.objects.owned_by(user).archived().count() == 3
    assert organizing.unarchive(three).count == 3
    assert Conversation.objects.owned_by(user).listed().count() == 4


def test_a_new_message_brings_an_archived_conversation_back(user: User, three: ConversationQuerySet) -> None:
    organizing.archive(three)
    conversation = three.order_by("id")[0]
    turns.send(user, text="One more thing", conversation=conversation)
    assert three.listed().get() == conversation


def test_what_is_in_the_trash_is_nobodys_until_it_is_restored(user: User, three: ConversationQuerySet) -> None:
    keys = list(three.values_list("pk", flat=True))
    assert organizing.trash(three).count == 3
    assert not three.exists()
    assert not Message.objects.owned_by(user).filter(conversation__in=keys).exists()
    thrown_away = Conversation.objects.trash_of(user)
    assert set(thrown_away.values_list("pk", flat=True)) == set(keys)
    assert organizing.restore(thrown_away).count == 3
    assert three.count() == 3


def test_what_was_pinned_or_archived_is_so_again_when_it_is_restored(user: User, three: ConversationQuerySet) -> None:
    organizing.pin(three)
    organizing.trash(three)
    assert conversation_list(user)["pinned"] == []
    organizing.restore(Conversation.objects.trash_of(user))
    assert len(conversation_list(user)["pinned"]) == 3


@pytest.mark.parametrize("status", [Status.PENDING, Status.INTERRUPTED])
def test_a_reply_that_nobody_makes_ends_with_its_conversation(user: User, status: Status) -> None:
    ReplyFactory.create(conversation__user=user, content="", generation__status=status, generation__draft="Half an ans")
    organizing.trash(Conversation.objects.owned_by(user))
    reply = Message.objects.select_related("generation").get()
    assert (reply.content, reply.generation.status) == ("Half an ans", Status.STOPPED)


def test_a_reply_that_is_being_made_is_asked_to_stop(user: User) -> None:
    ReplyFactory.create(
        conversation__user=user, generation__status=Status.RUNNING, generation__heartbeat_at=timezone.now()
    )
    organizing.trash(Conversation.objects.owned_by(user))
    assert Generation.objects.get().stop_requested_at


def test_nothing_is_said_asked_or_renamed_in_the_trash(user: User) -> None:
    failed = ReplyFactory.create(conversation__user=user, generation__status=Status.FAILED)
    conversation = failed.conversation
    organizing.trash(Conversation.objects.owned_by(user))
    with pytest.raises(ConversationGone):
        turns.send(user, text="Hello", conversation=conversation)
    with pytest.raises(ConversationGone):
        turns.retry(failed)
    with pytest.raises(ConversationGone):
        organizing.rename(conversation, title="New")
    assert Message.objects.count() == 1


def test_refusing_a_conversation_in_the_trash_takes_no_further_statement(user: User) -> None:
    conversation = ConversationFactory.create(user=user, trashed_at=timezone.now())
    with CaptureQueriesContext(connection) as captured, pytest.raises(ConversationGone):
        turns.send(user, text="Hello", conversation=conversation)
    assert len([query for query in captured if "SAVEPOINT" not in query["sql"]]) == 1


def test_after_its_days_the_trash_shows_nothing_and_gives_nothing_back(user: User, settings: Settings) -> None:
    settings.CHAT_TRASH_DAYS = 3
    now = timezone.now()
    young, old = (ConversationFactory.create(user=user, trashed_at=now - timedelta(days=days)) for days in (2, 4))
    assert Conversation.objects.trash_of(user).get() == young
    assert Conversation.objects.past_trash_days().get() == old
    assert set(Conversation.objects.thrown_away_by(user)) == {young, old}


def test_deleting_for_ever_takes_the_messages_and_only_what_is_in_the_trash(
    user: User, three: ConversationQuerySet
) -> None:
    organizing.trash(three.filter(pk=three.order_by("id")[0].pk))
    everything = Conversation.objects.filter(user=user)
    with CaptureQueriesContext(connection) as captured:
        assert organizing.delete(everything).count == 1
    assert len(captured) == 1
    assert Conversation.objects.count() == 3
    assert Message.objects.count() == Generation.objects.count() * 2 == 4


def test_another_persons_trash_is_not_mine(user: User, stranger: User) -> None:
    ConversationFactory.create(user=stranger, trashed_at=timezone.now())
    assert not Conversation.objects.trash_of(user).exists()
    assert not Conversation.objects.thrown_away_by(user).exists()
