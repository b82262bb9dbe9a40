"""What a prune removes can be archived before, and put back as it was."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from conversations.models import Conversation, Feedback, Message, Status
from conversations.transfer.archives import Archive, Reader, is_beginning, whole_bytes
from conversations.transfer.imports import Outcome
from conversations.upkeep import retention, seeding
from conversations.upkeep.retention import Rules
from tests.factories import ConversationFactory, ReplyFactory, UserFactory, exchange, long_chat
from tests.kit.server import ROOT

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

INTERRUPTED = "Interrupted. Its work so far is kept. Run it again for the rest."
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


def test_a_restore_that_is_interrupted_says_so_and_goes_on_the_next_time(
    said: dict[str, list[Any]], tmp_path: Path
) -> None:
    archive = tmp_path / "old.jsonl.zst"
    prune(archive)
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE conversations_feedback IN SHARE MODE")
        running = subprocess.Popen(
            [sys.executable, "manage.py", "restore_archive", str(archive)],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            # Whoever runs the tests in the background has it ignored.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'conversations_feedback'::regclass"
        while not count(waiting):
            assert running.poll() is None, running.communicate()[1]
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, words = running.communicate(timeout=60)
    assert (running.returncode, words) == (130, f"CommandError: {INTERRUPTED}\n")
    command("restore_archive", archive)
    assert everything() == said


def count(query: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])


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
        assert "is incomplete" in command("restore_archive", archive)
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


def test_a_small_file_that_stands_for_a_large_one_is_read_in_parts(tmp_path: Path) -> None:
    compressor = zstd.ZstdCompressor()
    head = b'{"format": "chatbot-archive", "version": 1}\n'
    pieces = [compressor.compress(head), *(compressor.compress(b" " * 2**20) for _ in range(200)), compressor.flush()]
    path = tmp_path / "archive"
    path.write_bytes(b"".join(pieces))
    assert path.stat().st_size < 50_000
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            assert whole_bytes(file) == path.stat().st_size
            assert is_beginning(file)
            assert not any(result.outcome == Outcome.IMPORTED for result in Reader(file).results())
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20_000_000


def test_fields_that_nobody_knows_are_not_held(tmp_path: Path) -> None:
    endless = ", ".join(f'"field{number}": "{"x" * 2_000_000}"' for number in range(20))
    text = f'{{"format": "chatbot-archive", "version": 1}}\n{{{endless}, "id": 7}}\n'
    path = tmp_path / "archive"
    path.write_bytes(zstd.compress(text.encode()))
    del text, endless
    tracemalloc.start()
    with path.open("rb") as file:
        (result,) = Reader(file).results()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.outcome == Outcome.FAILED
    assert peak < 25_000_000
