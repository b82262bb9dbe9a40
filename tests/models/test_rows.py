"""What the database itself refuses, and whose rows are whose."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, connection, transaction

from accounts.models import User
from chatbot.core.cursors import Cursor
from conversations.models import Conversation, Generation, Message, Role, Status
from tests.factories import ConversationFactory, MessageFactory, ReplyFactory, UserFactory, exchange, last_said

pytestmark = pytest.mark.django_db
NIL = UUID(int=0).hex


def refused(constraint: str, make: Callable[..., object], /, *args: object, **fields: object) -> None:
    def make_and_check() -> None:
        with transaction.atomic():
            make(*args, **fields)
            connection.check_constraints()

    with pytest.raises(IntegrityError, match=constraint):
        make_and_check()


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_an_empty_user_message_is_refused(text: str) -> None:
    refused("user_message_is_not_empty", MessageFactory.create, content=text)


def test_an_empty_reply_is_allowed() -> None:
    assert ReplyFactory.create(content="").content == ""


def test_an_unknown_role_is_refused() -> None:
    refused("message_role_is_known", MessageFactory.create, role="robot")


def test_an_unknown_status_is_refused() -> None:
    refused("generation_status_is_known", ReplyFactory.create, generation__status="lost")


@pytest.mark.parametrize("temperature", [-0.1, 2.1, float("nan"), float("inf")])
def test_a_temperature_out_of_range_is_refused(temperature: float) -> None:
    refused("conversation_temperature_is_in_range", ConversationFactory.create, temperature=temperature)


def test_a_message_of_another_user_than_its_conversations_is_refused(stranger: User) -> None:
    refused("message_has_its_conversations_user", MessageFactory.create, user=stranger)


def test_a_parent_in_another_conversation_is_refused() -> None:
    refused("message_has_a_parent_in_its_conversation", MessageFactory.create, parent=MessageFactory.create())


def test_a_current_message_in_another_conversation_is_refused() -> None:
    conversation = MessageFactory.create().conversation
    conversation.current_message = MessageFactory.create()
    refused("conversation_has_its_current_message", conversation.save)


def test_a_generation_in_another_conversation_than_its_message_is_refused() -> None:
    message = MessageFactory.create(role=Role.ASSISTANT)
    refused(
        "generation_has_its_messages_conversation",
        Generation.objects.create,
        message=message,
        conversation=ConversationFactory.create(),
    )


@pytest.mark.parametrize("first", [Status.PENDING, Status.RUNNING, Status.INTERRUPTED])
def test_two_open_replies_in_one_conversation_are_refused(first: Status) -> None:
    reply = ReplyFactory.create(generation__status=first)
    refused(
        "one_open_generation_per_conversation",
        ReplyFactory.create,
        conversation=reply.conversation,
        generation__status=Status.PENDING,
    )


def test_deleting_a_user_deletes_everything_in_the_database_itself() -> None:
    exchange(ConversationFactory.create(), "Hello", "Good day")
    kept = exchange(ConversationFactory.create(), "Hello", "Good day")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_user WHERE id <> %s", [kept.user_id])
    connection.check_constraints()
    assert Conversation.objects.get() == kept.conversation
    assert Message.objects.count() == 2
    assert Generation.objects.get().message == kept


def test_keys_are_in_the_order_of_time() -> None:
    keys = [MessageFactory.create().pk for _ in range(50)]
    assert keys == sorted(keys)
    assert all(isinstance(key, UUID) and key.version == 7 for key in keys)


def test_only_the_owners_rows_are_found(user: User, stranger: User) -> None:
    mine = exchange(ConversationFactory.create(user=user), "Mine", "Yours")
    exchange(ConversationFactory.create(user=stranger), "Theirs", "Ours")
    assert list(Conversation.objects.owned_by(user)) == [mine.conversation]
    assert set(Message.objects.owned_by(user).values_list("conversation", flat=True)) == {mine.conversation_id}
    assert not Conversation.objects.owned_by(AnonymousUser()).exists()
    assert not Message.objects.owned_by(AnonymousUser()).exists()


def test_pages_by_cursor_show_every_conversation_once(user: User) -> None:
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    for number in range(25):
        # Several share a time: the key decides between them.
        ConversationFactory.create(user=user, updated_at=moment + timedelta(seconds=number // 3))
    seen: list[Conversation] = []
    cursor: Cursor | None = None
    while page := list(Conversation.objects.owned_by(user).newest_first().after(cursor)[:4]):
        seen += page
        cursor = Cursor.parse(str(page[-1].cursor))
    assert seen == list(Conversation.objects.owned_by(user).newest_first())


def test_messages_are_read_in_order_last_and_count() -> None:
    conversation = ConversationFactory.create()
    for number in range(5):
        exchange(conversation, f"Question {number}", f"Answer {number}")
    contents = [message.content for message in conversation.messages.oldest_first()]
    assert contents == [f"{what} {number}" for number in range(5) for what in ("Question", "Answer")]
    last = last_said(conversation)
    assert last is not None
    assert last.content == "Answer 4"
    assert conversation.messages.count() == 10
    assert [message.content for message in conversation.messages.newest_first()] == contents[::-1]


@pytest.mark.parametrize("text", ["x", "1-x", "1", f"-{NIL}", f"{10**30}-{NIL}"])
def test_a_malformed_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Cursor.parse(text)


def test_people_are_one_per_email_whatever_its_case() -> None:
    UserFactory.create(email="ada@example.org")
    refused("accounts_user_email_", UserFactory.create, email="Ada@Example.org")
