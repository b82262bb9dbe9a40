"""What was done with tools goes with the message, the conversation and the person, and is in the person's data."""

import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import User
from conversations.actions import organizing
from conversations.models import Conversation, Generation, Message, ReplyRound, Status, ToolCall
from conversations.upkeep import retention
from conversations.upkeep.retention import Rules
from tests.factories import ConversationFactory, UserFactory, exchange

pytestmark = pytest.mark.django_db(transaction=True)


def acted(user: User, *, status: str = Status.COMPLETE, **fields: Any) -> Message:
    """A reply of two rounds with three calls; one that waits has not ended."""
    reply = exchange(ConversationFactory.create(user=user, **fields), "Please", "Done.")
    for number in range(2):
        ReplyRound.objects.create(message=reply, user=user, number=number, text="I look.", reasoning="Hm.")
    for position in range(3):
        ToolCall.objects.create(
            message=reply, user=user, tool="look_up", position=position, arguments='{"for": "needle"}', state="done"
        )
    Generation.objects.filter(pk=reply.pk).update(status=status, rounds=2)
    return reply


def counts() -> tuple[int, int]:
    return ToolCall.objects.count(), ReplyRound.objects.count()


@pytest.fixture
def others(stranger: User) -> Message:
    """What was done for somebody else, which stays."""
    return acted(stranger)


def test_the_trash_keeps_what_was_done_and_nobody_sees_it(user: User, others: Message) -> None:
    reply = acted(user)
    mine = Conversation.objects.owned_by(user)
    organizing.trash(mine)
    assert counts() == (6, 4)
    assert not ToolCall.objects.owned_by(user).exists()
    organizing.restore(Conversation.objects.trash_of(user))
    assert ToolCall.objects.owned_by(user).filter(message=reply).count() == 3


@pytest.mark.parametrize("status", [Status.COMPLETE, Status.WAITING])
def test_a_deleted_conversation_takes_what_was_done_with_it(user: User, others: Message, status: str) -> None:
    acted(user, status=status)
    organizing.trash(Conversation.objects.owned_by(user))
    organizing.delete(Conversation.objects.trash_of(user))
    assert counts() == (3, 2)
    assert not ToolCall.objects.filter(user=user).exists()


def test_a_prune_takes_what_was_done_also_of_long_conversations(user: User, others: Message) -> None:
    reply = acted(user)
    for _ in range(5):
        exchange(reply.conversation, "More", "Yes")
    Conversation.objects.filter(user=user).update(updated_at=timezone.now() - timedelta(days=400))
    rules = Rules(before=timezone.now() - timedelta(days=300))
    for batch in retention.batches(rules, size=4):
        assert sum(removed.messages for removed in retention.remove(batch, rules, size=4)) == 12
    assert counts() == (3, 2)


def test_the_trash_is_emptied_of_what_was_done(user: User, others: Message) -> None:
    acted(user, trashed_at=timezone.now() - timedelta(days=365))
    call_command("prune_conversations", "--trash-only", verbosity=0)
    assert counts() == (3, 2)


def test_an_erased_person_leaves_no_call_and_the_receipt_counts_them(
    user: User, others: Message, tmp_path: Path
) -> None:
    acted(user)
    ToolCall.objects.create(user=user, origin="door", tool="look_up", arguments='{"for": "needle"}')
    receipt = tmp_path / "receipt.json"
    call_command("erase_user", user.email, "--receipt", str(receipt), verbosity=0)
    assert counts() == (3, 2)
    written = json.loads(receipt.read_text())
    assert written["removed"]["conversations.ToolCall"] == 4
    assert written["removed"]["conversations.ReplyRound"] == 2
    assert {"conversations.ToolCall", "conversations.ReplyRound"} <= set(written["looked_at"])


def test_an_account_that_staff_delete_leaves_no_call(user: User, others: Message) -> None:
    acted(user)
    client = Client()
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    answer = client.post(f"/admin/accounts/user/{user.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 302
    assert not User.objects.filter(pk=user.pk).exists()
    assert counts() == (3, 2)


def test_the_database_itself_removes_them(user: User, others: Message) -> None:
    acted(user)
    ToolCall.objects.create(user=user, origin="door", tool="look_up")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_user WHERE id = %s", [user.pk])
    assert counts() == (3, 2)


def test_a_persons_data_has_all_that_was_done(user: User, others: Message, tmp_path: Path) -> None:
    acted(user)
    ToolCall.objects.create(user=user, origin="mcp", tool="elsewhere", state="done", result={"text": "x" * 9_000})
    file = tmp_path / "data.zip"
    call_command("export_user", user.email, str(file), verbosity=0)
    with zipfile.ZipFile(file) as archive:
        records = json.loads(archive.read("records.json"))
    calls = records["conversations.ToolCall"]
    assert sorted(call["tool"] for call in calls) == ["elsewhere", "look_up", "look_up", "look_up"]
    # All of it, of which the messages recorded a part.
    assert [len(call["result"]["text"]) for call in calls if call["result"]] == [9_000]
    assert {said["text"] for said in records["conversations.ReplyRound"]} == {"I look."}
