"""A prune that is killed (`kill -9`) at random moments, again and again, while it archives and removes."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from conversations.retention import GONE_AT
from tests.faults.conftest import FULL, Chance
from tests.faults.database import Database
from tests.server import ROOT

KILLS, MESSAGES, LONGEST = (20, "40k", "4k") if FULL else (2, "8k", "2k")
MOMENTS = 0.5 if FULL else 0.2
"""Seconds after the first removal of a run within which it is killed."""

PATIENCE = 60.0

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


def test_a_killed_prune_loses_nothing_that_it_should_keep(database: Database, tmp_path: Path, chance: Chance) -> None:
    database.empty()
    manage(database, "seed_demo", "--users=20", "--conversations=400", f"--messages={MESSAGES}", "--force")
    # One of them is many batches long.
    manage(database, "seed_demo", "--users=1", "--conversations=1", f"--messages={LONGEST}", "--force")
    database.rows(
        "UPDATE conversations_conversation SET pinned_at = NULL, updated_at = now() - interval '300 days'"
        " WHERE id = (SELECT conversation_id FROM conversations_message GROUP BY 1 ORDER BY count(*) DESC LIMIT 1)"
    )
    kept, old = rows(database, f"NOT ({OLD})"), rows(database, OLD)
    everything, whole = kept | old, visible(database)
    assert len(kept) > len(everything) / 20
    assert len(old) > len(everything) / 4
    archive = tmp_path / "old.jsonl.zst"
    moments = chance("kill")
    hits = 0
    for _ in range(KILLS):
        hits += killed(database, archive, moments.uniform(0, MOMENTS))
        left = rows(database, "true")
        assert rows(database, f"NOT ({OLD})") == kept, "something is lost that was to stay"
        assert left.items() <= everything.items(), "a row has changed"
        assert visible(database).items() <= whole.items(), "somebody can see a part of a conversation"
        if len(left) < len(everything) - len(old) // 2:
            # Put it all back, so that the next kill has something to hit.
            manage(database, "restore_archive", str(archive))
            assert rows(database, "true") == everything, "the archive lacks something that was removed"
    assert hits, "no kill hit a prune"
    manage(database, *prune(archive))
    assert rows(database, "true") == kept
    manage(database, "restore_archive", str(archive))
    assert rows(database, "true") == everything


def prune(archive: Path) -> list[str]:
    return ["prune_conversations", "--older-than=90d", "--batch-size=200", f"--archive-to={archive}"]


def killed(database: Database, archive: Path, moment: float) -> bool:
    """Kill a prune so many seconds after it has begun to remove; whether it was still at work."""
    before = count(database)
    process = start(database, *prune(archive))
    until = time.monotonic() + PATIENCE
    while process.poll() is None and count(database) == before:
        assert time.monotonic() < until, "the prune removes nothing"
    time.sleep(moment)
    was_at_work = process.poll() is None
    process.kill()
    process.wait()
    # The server ends the transaction when it notices; the next run waits for nothing.
    while any(state != "idle" for state in database.sessions()):
        assert time.monotonic() < until, "a session of the killed prune stays"
    return was_at_work


def manage(database: Database, *arguments: str) -> None:
    assert start(database, *arguments).wait() == 0


def start(database: Database, *arguments: str) -> "subprocess.Popen[bytes]":
    environment = os.environ | database.environment | {"TEST_SERVER": "true"}
    return subprocess.Popen([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment)


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
