"""A prune that is killed (`kill -9`) at random moments while it archives and removes, and one that is asked to end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from conversations.upkeep.retention import GONE_AT
from tests.faults.conftest import FULL, Chance
from tests.faults.database import TESTS, Database
from tests.kit.server import ROOT

KILLS, MESSAGES, LONGEST = (20, "40k", "4k") if FULL else (1, "2k", "1k")
MOMENTS = 0.5 if FULL else 0.2
"""Seconds after the first removal of a run within which it is killed."""

PATIENCE = 60.0

Process = subprocess.Popen[bytes]
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}

# Whether a row is to stay, and what the rest consists of.
OLD = "conversation.updated_at < now() - interval '90 days' AND conversation.pinned_at IS NULL"
ROWS = """
SELECT message.id::text, md5(to_jsonb(message)::text ||
    coalesce(to_jsonb(generation) - 'worker' - 'heartbeat_at', '{{}}')::text)
FROM conversations_message AS message
JOIN conversations_conversation AS conversation ON conversation.id = message.conversation_id
LEFT JOIN conversations_generation AS generation ON generation.message_id = message.id
WHERE {} ORDER BY 1
"""


LAST = """
SELECT message.id FROM conversations_message AS message
JOIN conversations_conversation AS conversation ON conversation.id = message.conversation_id
WHERE {} AND conversation.trashed_at IS NULL
ORDER BY conversation.updated_at DESC, conversation.id DESC LIMIT 1 FOR UPDATE OF message
"""


@pytest.fixture(scope="module")
def seeded(database: Database) -> None:
    """Conversations, some of them old; the tests leave some of these."""
    database.empty()
    manage(database, "seed_demo", "--users=20", "--conversations=400", f"--messages={MESSAGES}", "--force")
    # One of them is many batches long.
    manage(database, "seed_demo", "--users=1", "--conversations=1", f"--messages={LONGEST}", "--force")
    database.rows(
        "UPDATE conversations_conversation SET pinned_at = NULL, updated_at = now() - interval '300 days'"
        " WHERE id = (SELECT conversation_id FROM conversations_message GROUP BY 1 ORDER BY count(*) DESC LIMIT 1)"
    )


@pytest.mark.usefixtures("seeded")
def test_a_killed_prune_loses_nothing_that_it_should_keep(database: Database, tmp_path: Path, chance: Chance) -> None:
    kept, old = rows(database, f"NOT ({OLD})"), rows(database, OLD)
    everything, whole = kept | old, visible(database)
    assert len(kept) > len(everything) / 20
    assert len(old) > len(everything) / 4
    archive = tmp_path / "old.jsonl.zst"
    moments = chance("kill")
    for _ in range(KILLS):
        kill(database, archive, moments.uniform(0, MOMENTS))
        left = rows(database, "true")
        assert rows(database, f"NOT ({OLD})") == kept, "something is lost that was to stay"
        assert left.items() <= everything.items(), "a row has changed"
        assert visible(database).items() <= whole.items(), "somebody can see a part of a conversation"
        if len(left) < len(everything) - len(old) // 2:
            # Put it all back, so that the next kill has something to hit.
            manage(database, "restore_archive", str(archive))
            assert rows(database, "true") == everything, "the archive lacks something that was removed"
    manage(database, *prune(archive))
    assert rows(database, "true") == kept
    manage(database, "restore_archive", str(archive))
    assert rows(database, "true") == everything


@pytest.mark.usefixtures("seeded")
def test_a_prune_that_is_ended_tells_what_it_removed_and_how_it_ended(database: Database) -> None:
    ends: list[tuple[Callable[[Process], object], int, str]] = [
        (lambda process: process.send_signal(signal.SIGTERM), 143, "interrupted"),
        (lambda _: database.cut(), 1, "failed"),
    ]
    if FULL:
        ends.append((lambda process: process.send_signal(signal.SIGINT), 130, "interrupted"))
    for end, code, ended in ends:
        before = count(database)
        with endless(database):
            process = start(database, "prune_conversations", "--older-than=90d", "--batch-size=2", "--json", **PIPES)
            wait_for_removals(database, process, before)
            end(process)
        output, errors = process.communicate(timeout=PATIENCE)
        told = json.loads(output or b"{}")
        assert (process.returncode, told.get("ended")) == (code, ended), errors.decode()
        # A commit that was cut off may have happened all the same.
        assert 0 < told["messages"] <= before - count(database) <= told["messages"] + (2 if code == 1 else 0)
        assert "Traceback" not in errors.decode()
        sentences = [line for line in errors.decode().splitlines() if line.startswith("CommandError: ")]
        assert len(sentences) == (1 if code == 1 else 0)


def prune(archive: Path) -> list[str]:
    return ["prune_conversations", "--older-than=90d", "--batch-size=200", f"--archive-to={archive}"]


def kill(database: Database, archive: Path, moment: float) -> None:
    """Kill a prune so many seconds after it has begun to remove."""
    before = count(database)
    with endless(database):
        process = start(database, *prune(archive))
        wait_for_removals(database, process, before)
        time.sleep(moment)
        assert process.poll() is None, "the kill hits no prune"
        process.kill()
        process.wait()
    until = time.monotonic() + PATIENCE
    # The server ends the transaction when it notices; the next run waits for nothing.
    while any(state != "idle" for state in database.sessions()):
        assert time.monotonic() < until, "a session of the killed prune stays"


@contextmanager
def endless(database: Database) -> Iterator[None]:
    """No prune comes to its end meanwhile: another session holds a message of the conversation that goes last."""
    with psycopg.connect(database.url, application_name=TESTS) as holding:
        assert holding.execute(LAST.format(OLD).encode()).fetchone()
        yield


def wait_for_removals(database: Database, process: Process, before: int) -> None:
    """Until there are fewer messages than before, or the process has ended."""
    until = time.monotonic() + PATIENCE
    while process.poll() is None and count(database) == before:
        assert time.monotonic() < until, "the prune removes nothing"


def manage(database: Database, *arguments: str) -> None:
    assert start(database, *arguments).wait() == 0


def start(database: Database, *arguments: str, **options: Any) -> Process:
    environment = os.environ | database.environment | {"TEST_SERVER": "true"}
    return subprocess.Popen([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, **options)


def count(database: Database) -> int:
    ((number,),) = database.rows("SELECT count(*) FROM conversations_message")
    return int(number)


def rows(database: Database, condition: str) -> dict[Any, Any]:
    """The rows of messages and their generations: key and digest."""
    return dict(database.rows(ROWS.format(condition)))


def visible(database: Database) -> dict[Any, Any]:
    """How many messages each conversation has that is not out of everybody's reach."""
    return dict(
        database.rows(
            "SELECT conversation_id::text, count(*) FROM conversations_message AS message"
            " JOIN conversations_conversation AS conversation ON conversation.id = message.conversation_id"
            " WHERE trashed_at IS DISTINCT FROM %s GROUP BY 1",
            GONE_AT,
        )
    )
