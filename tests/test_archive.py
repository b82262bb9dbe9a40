"""What a prune removes can be archived before, and put back as it was."""

import io
import json
import sys
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.models import User
from conversations import retention, seeding
from conversations.models import Conversation, Feedback, Message, Status
from conversations.retention import Rules
from conversations.transfer.archives import Archive
from tests.factories import ConversationFactory, ReplyFactory, UserFactory, exchange, long_chat

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.django_db(transaction=True)

# How far a worker was with a reply is no part of it once it has ended.
TABLES = {
    "conversations_conversation": "*",
    "conversations_message": "*",
    "conversations_feedback": "*",
    "conversations_generation": "to_jsonb(row) - 'worker' - 'heartbeat_at' - 'stop_requested_at'",
}


def command(name: str, *arguments: str | Path) -> str:
    output = io.StringIO()
    call_command(name, *map(str, arguments), stdout=output, stderr=output)
    return output.getvalue()


def prune(archive: Path, *arguments: str) -> str:
    return command("prune_conversations", "--older-than=0d", "--archive-to", archive, *arguments)


def everything() -> dict[str, list[Any]]:
    """All rows of all tables of what was said."""
    with connection.cursor() as cursor:
        found = {}
        for table, columns in TABLES.items():
            expression = "to_jsonb(row)" if columns == "*" else columns
            cursor.execute(f"SELECT {expression}::text FROM {table} AS row ORDER BY 1")  # noqa: S608 (the names above)
            found[table] = cursor.fetchall()
        return found


@pytest.fixture
def said(transactional_db: None, user: User) -> dict[str, list[Any]]:
    """Conversations of all kinds; all that the tables hold of them."""
    chance = Random(2)  # noqa: S311 (not a secret)
    list(seeding.fill(seeding.people(5, chance=chance), conversations=60, messages=1_500, chance=chance))
    Conversation.objects.update(pinned_at=None)
    conversation = ConversationFactory.create(user=user, system_prompt="Say ünïcode\n", temperature=0.5, model="m")
    first = exchange(conversation, 'Line one\nline "two"', "Answer\u2028\n```python\n1\n```")
    exchange(conversation, "More", "Yes")
    failed = ReplyFactory.create(
        conversation=conversation,
        content="",
        tool_calls=[{"name": "f", "arguments": {"a": [1, None]}}],
        generation__status=Status.FAILED,
        generation__error="It failed.",
        generation__error_detail="socket closed",
        generation__request_id="request-0123456789",
    )
    Feedback.objects.create(message=failed, user=user, rating="down", comment="Oh")
    Conversation.objects.filter(pk=conversation.pk).update(
        current_message=first, trashed_at=timezone.now() - timedelta(days=3), archived_at=timezone.now()
    )
    return everything()


def test_what_was_archived_comes_back_as_it_was_and_only_once(said: dict[str, list[Any]], tmp_path: Path) -> None:
    archive = tmp_path / "old.jsonl.zst"
    assert "Removed 61 conversations" in prune(archive)
    assert not Message.objects.exists()
    assert "Restored 61 conversations; 0 were here" in command("restore_archive", archive)
    assert everything() == said
    assert "Restored 0 conversations; 61 were here" in command("restore_archive", archive)
    assert everything() == said


def test_the_archive_is_lines_of_json_that_any_zstd_reads(said: dict[str, list[Any]], tmp_path: Path) -> None:
    archive = tmp_path / "old.jsonl.zst"
    prune(archive)
    lines = [json.loads(line) for line in zstd.decompress(archive.read_bytes()).decode().split("\n")[:-1]]
    assert sum(len(line["messages"]) for line in lines if "messages" in line) == len(said["conversations_message"])
    assert {line["format"] for line in lines if "messages" not in line} == {"chatbot-archive"}
    assert archive.stat().st_mode & 0o077 == 0


def test_a_further_run_appends_to_the_archive(user: User, tmp_path: Path) -> None:
    archive = tmp_path / "old.jsonl.zst"
    for text in ("One", "Two"):
        exchange(ConversationFactory.create(user=user), text, "Yes")
        prune(archive)
    assert "Restored 2 conversations" in command("restore_archive", archive)


def test_what_an_interrupted_run_left_unfinished_is_cut_off_by_the_next(user: User, tmp_path: Path) -> None:
    archive = tmp_path / "old.jsonl.zst"
    exchange(ConversationFactory.create(user=user), "One", "Yes")
    prune(archive)
    whole = archive.read_bytes()
    for cut in (1, 9, len(whole) // 2, len(whole) - 1):
        archive.write_bytes(whole + whole[:cut])
        assert "cut off" in command("restore_archive", archive)
        Conversation.objects.all().delete()
    exchange(ConversationFactory.create(user=user), "Two", "Yes")
    prune(archive)
    assert "Restored 2 conversations" in command("restore_archive", archive)


def test_nothing_is_removed_when_the_archive_cannot_be_written(user: User, tmp_path: Path) -> None:
    exchange(ConversationFactory.create(user=user), "One", "Yes")
    other = tmp_path / "notes.txt"
    other.write_text("Not an archive")
    for path in (other, tmp_path, tmp_path / "missing" / "old.jsonl.zst", Path("/dev/full")):
        with pytest.raises(CommandError, match="cannot be written to"):
            prune(path)
    assert Message.objects.count() == 2
    assert other.read_text() == "Not an archive"


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"", b"text", zstd.compress(b'{"format": "other", "version": 1}\n'), zstd.compress(b"text\n")):
        path.write_bytes(content)
        with pytest.raises(CommandError):
            command("restore_archive", path)


def test_a_conversation_whose_owner_is_gone_is_told_of_and_the_others_come_back(user: User, tmp_path: Path) -> None:
    archive = tmp_path / "old.jsonl.zst"
    exchange(ConversationFactory.create(), "Mine", "Yes")
    exchange(ConversationFactory.create(user=user), "Yours", "Yes")
    prune(archive)
    User.objects.exclude(pk=user.pk).delete()
    with pytest.raises(CommandError, match="1 could not be restored"):
        command("restore_archive", archive)
    assert Conversation.objects.get().user == user


def test_an_owner_who_came_back_is_found_by_the_address(user: User, tmp_path: Path) -> None:
    archive = tmp_path / "old.jsonl.zst"
    exchange(ConversationFactory.create(user=user), "Mine", "Yes")
    prune(archive)
    email = user.email
    user.delete()
    again = UserFactory.create(email=email)
    command("restore_archive", archive)
    assert Conversation.objects.get().user == again


def test_a_long_conversation_whose_removal_was_interrupted_comes_back_whole(user: User, tmp_path: Path) -> None:
    conversation = ConversationFactory.create(user=user)
    long_chat(conversation, 250)
    before = everything()
    rules = Rules(before=timezone.now())
    (batch,) = retention.batches(rules, size=100)
    archive = tmp_path / "old.jsonl.zst"
    with Archive(archive) as opened:
        opened.add([conversation.pk])
    next(retention.remove(batch, rules, size=100))
    command("restore_archive", archive)
    assert everything() == before
