"""What a person can do with the branches of a conversation."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from conversations.actions import branches, turns
from conversations.errors.gone import ConversationGone, MessageGone
from conversations.models import Conversation, Generation, Message, Status, paths
from conversations.replies import context, leases
from tests.factories import ConversationFactory, MessageFactory, exchange, last_said, long_chat

pytestmark = pytest.mark.django_db


@pytest.fixture
def conversation(user: User) -> Conversation:
    """Two exchanges: One, Two, Three, Four."""
    conversation = ConversationFactory.create(user=user)
    exchange(conversation, "One", "Two")
    exchange(conversation, "Three", "Four")
    return conversation


def said(content: str) -> Message:
    return Message.objects.select_related("conversation", "user").get(content=content)


def branch(conversation: Conversation) -> list[str]:
    """What the chosen branch says."""
    conversation.refresh_from_db()
    end = conversation.current_message_id
    return [m.content for m in paths.oldest_first(Message.objects.filter(pk__in=paths.upwards(conversation, end, 100)))]


def finish(reply: Message, text: str) -> None:
    Generation.objects.filter(pk=reply.pk).update(status=Status.COMPLETE)
    Message.objects.filter(pk=reply.pk).update(content=text)


def test_a_turn_is_the_new_end_of_the_chosen_branch(user: User, conversation: Conversation) -> None:
    turn = turns.send(user, text="Five", conversation=conversation)
    assert turn.message.parent == said("Four")
    assert last_said(conversation) == turn.reply
    assert turns.send(user, text="Hello").conversation.current_message == Message.objects.latest("created_at")


def test_an_edited_message_begins_a_branch_and_keeps_the_other(conversation: Conversation) -> None:
    turn = branches.edit(said("Three"), text="Three, differently")
    assert turn.message.parent == said("Two")
    assert turn.reply.generation.status == Status.PENDING
    finish(turn.reply, "Four, differently")
    assert branch(conversation) == ["One", "Two", "Three, differently", "Four, differently"]
    assert said("Four").parent == said("Three")


def test_the_first_message_can_be_edited(conversation: Conversation) -> None:
    turn = branches.edit(said("One"), text="First")
    assert turn.message.parent is None
    assert branch(conversation) == ["First", ""]


def test_a_second_answer_stands_beside_the_first(conversation: Conversation) -> None:
    answer = branches.regenerate(said("Two"), model="another")
    assert answer.parent == said("One")
    assert (answer.generation.status, answer.generation.model) == (Status.PENDING, "another")
    assert branch(conversation) == ["One", ""]
    assert said("Four")


def test_the_model_sees_the_chosen_branch_only(conversation: Conversation, settings: Settings) -> None:
    settings.CHAT_SYSTEM_PROMPT = ""
    answer = branches.regenerate(said("Two"))
    assert [m.content for m in context.window_for(answer).messages] == ["One"]
    finish(answer, "Second")
    turn = turns.send(conversation.user, text="And then?", conversation=conversation)
    assert [m.content for m in context.window_for(turn.reply).messages] == ["One", "Second", "And then?"]


def test_a_branch_that_was_left_is_found_as_it_was_left(conversation: Conversation) -> None:
    finish(branches.edit(said("One"), text="First").reply, "Second")
    branches.choose(said("One"))
    assert branch(conversation) == ["One", "Two", "Three", "Four"]
    branches.choose(said("First"))
    assert branch(conversation) == ["First", "Second"]


def test_of_several_ends_the_one_where_the_person_was_last_is_chosen(conversation: Conversation) -> None:
    finish(branches.regenerate(said("Four")), "Fourth")
    branches.choose(said("Four"))
    finish(branches.edit(said("One"), text="First").reply, "Second")
    branches.choose(said("Two"))
    assert branch(conversation)[-1] == "Four"
    branches.choose(said("Fourth"))
    branches.choose(said("Second"))
    branches.choose(said("One"))
    assert branch(conversation)[-1] == "Fourth"


def test_choosing_what_is_chosen_changes_nothing(conversation: Conversation) -> None:
    for content in ("One", "Two", "Four"):
        branches.choose(said(content))
        assert branch(conversation) == ["One", "Two", "Three", "Four"]


@pytest.mark.parametrize(
    "act",
    [
        lambda: branches.edit(said("Three"), text="Other"),
        lambda: branches.regenerate(said("Two")),
        lambda: branches.choose(said("Two")),
    ],
)
def test_while_a_reply_is_open_nothing_branches(
    user: User, conversation: Conversation, act: Callable[[], object], settings: Settings
) -> None:
    turns.send(user, text="Five", conversation=conversation)
    for limit in (10, 1):
        settings.CHAT_REPLIES_PER_USER = limit
        with pytest.raises(turns.ReplyInProgress):
            act()
    assert branch(conversation) == ["One", "Two", "Three", "Four", "Five", ""]
    assert Message.objects.count() == 6


def test_the_same_edit_twice_is_one(conversation: Conversation) -> None:
    key = uuid4()
    first = branches.edit(said("Three"), text="Other", turn=key)
    assert branches.edit(said("Three"), text="Other", turn=key) == first
    with pytest.raises(turns.TurnTaken):
        branches.edit(said("Three"), text="Yet another", turn=key)
    assert Message.objects.count() == 6


def test_the_same_regeneration_twice_is_one(conversation: Conversation) -> None:
    key = uuid4()
    first = branches.regenerate(said("Two"), turn=key)
    assert branches.regenerate(said("Two"), turn=key) == first
    with pytest.raises(turns.TurnTaken):
        branches.regenerate(said("Four"), turn=key)
    assert Message.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_four_equal_regenerations_at_once_are_one(conversation: Conversation) -> None:
    reply, key = said("Two"), uuid4()

    def post(_: int) -> UUID:
        try:
            return branches.regenerate(reply, turn=key).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(post, range(4))) == {key}
    assert Message.objects.count() == 5


def test_the_limits_of_turns_hold_for_branches(conversation: Conversation, settings: Settings) -> None:
    settings.CHAT_TURNS_PER_MINUTE = 2
    finish(branches.regenerate(said("Two")), "Second")
    finish(branches.edit(said("Three"), text="Third").reply, "Fourth")
    with pytest.raises(turns.TooManyTurns):
        branches.regenerate(said("Two"))
    with pytest.raises(turns.TooManyTurns):
        branches.edit(said("Three"), text="Again")


def test_past_the_limit_of_replies_the_alternative_is_stored_and_has_failed(
    user: User, conversation: Conversation, settings: Settings
) -> None:
    settings.CHAT_REPLIES_PER_USER = 1
    turns.send(user, text="Elsewhere")
    answer = branches.regenerate(said("Two"))
    assert (answer.generation.status, answer.generation.error_code) == (Status.FAILED, "too_many_replies")
    assert last_said(conversation) == answer


def test_what_was_deleted_meanwhile_is_said_to_be_gone(conversation: Conversation) -> None:
    three, four = said("Three"), said("Four")
    said("Two").delete()
    for act in (
        lambda: branches.choose(four),
        lambda: branches.edit(three, text="Other"),
        lambda: branches.regenerate(four),
    ):
        with pytest.raises(MessageGone):
            act()
    one = said("One")
    conversation.delete()
    for act in (lambda: branches.choose(one), lambda: branches.edit(one, text="Other")):
        with pytest.raises(ConversationGone):
            act()


@pytest.mark.django_db(transaction=True)
def test_an_alternative_that_is_deleted_while_it_is_chosen_is_said_to_be_gone(conversation: Conversation) -> None:
    second = said_beside("Four", "Fourth")
    branches.choose(said("Four"))
    deleted, waited_for = threading.Event(), threading.Event()

    def delete() -> None:
        with transaction.atomic():
            second.delete()
            deleted.set()
            waited_for.wait()
        connection.close()

    def choose() -> str:
        try:
            branches.choose(said("Fourth"))
        except MessageGone as error:
            return error.code
        finally:
            connection.close()
        return ""

    with ThreadPoolExecutor(2) as pool:
        deletion = pool.submit(delete)
        try:
            assert deleted.wait(60)
            choice = pool.submit(choose)
            while not choice.done() and not sessions_that_wait():
                pass
        finally:
            waited_for.set()
        deletion.result()
        assert choice.result() == "message_gone"
    assert branch(conversation) == ["One", "Two", "Three", "Four"]


def said_beside(content: str, text: str) -> Message:
    """Another finished answer in the place of the one that says `content`."""
    answer = branches.regenerate(said(content))
    finish(answer, text)
    return answer


def sessions_that_wait() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def test_deleting_the_end_of_the_branch_leaves_the_conversation_to_its_newest_message(
    user: User, conversation: Conversation
) -> None:
    finish(branches.regenerate(said("Four")), "Fourth")
    said("Fourth").delete()
    conversation.refresh_from_db()
    assert conversation.current_message is None
    assert turns.send(user, text="Five", conversation=conversation).message.parent == said("Four")


def test_a_retry_goes_to_the_branch_of_its_reply(conversation: Conversation) -> None:
    failed = branches.regenerate(said("Two"))
    Generation.objects.filter(pk=failed.pk).update(status=Status.FAILED)
    branches.choose(said("Two"))
    turns.retry(failed)
    assert last_said(conversation) == failed


def test_a_reply_is_asked_of_the_model_that_it_was_stored_with(conversation: Conversation) -> None:
    answer = branches.regenerate(said("Two"), model="another")
    claimed = leases.claim(answer.pk, worker="worker")
    assert claimed
    assert claimed.model == "another"


def test_a_branch_of_ten_thousand_messages_is_walked_step_by_step_in_one_statement(user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    messages = long_chat(conversation, 10_000)
    # The planner knows nothing of rows that have just come, as an import brings them.
    with CaptureQueriesContext(connection) as captured:
        assert paths.last_end(conversation, messages[0].pk) == messages[-1].pk
        assert paths.place(conversation, messages[-1].pk, messages[0].pk, below=25) == (10_000, messages[25].pk)
    assert len(captured) == 2
    for query in captured.captured_queries:
        assert rows_touched(query["sql"]) < 15 * len(messages)


def rows_touched(sql: str) -> float:
    """How many rows all steps of a statement's plan have looked at."""

    def of(plan: dict[str, Any]) -> float:
        rows = sum(
            plan.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter")
        )
        return float(rows * plan["Actual Loops"] + sum(of(part) for part in plan.get("Plans", ())))

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        (found,) = cursor.fetchone()
    return of((json.loads(found) if isinstance(found, str) else found)[0]["Plan"])


def test_a_path_stays_in_its_conversation(conversation: Conversation) -> None:
    other = MessageFactory.create()
    assert paths.last_end(conversation, other.pk) is None
    assert not Message.objects.filter(pk__in=paths.upwards(conversation, other.pk, 10)).exists()
    assert not Message.objects.filter(pk__in=paths.before(conversation, other.pk, 10)).exists()


def test_messages_with_odd_times_are_in_the_order_of_their_branch(conversation: Conversation) -> None:
    Message.objects.filter(content="One").update(created_at=timezone.now() + timedelta(days=1))
    assert branch(conversation) == ["One", "Two", "Three", "Four"]
