"""The site behind pgbouncer in transaction mode, with the settings of docs/examples: everything works as without it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatbot.embedded.postgres.account import choose_account
from tests.faults.conftest import FULL, Chance
from tests.faults.database import NAME, Database
from tests.faults.invariants import all_hold
from tests.faults.person import Person
from tests.faults.site import Site
from tests.faults.speech import Speech, script_for
from tests.kit.install_programs import program
from tests.kit.provider import ScriptedProvider
from tests.kit.server import ROOT
from tests.support.proxies import EXAMPLES, free_port

TURNS = 60 if FULL else 15
POOL = 3
"""Connections to PostgreSQL for all processes: so few that each is handed on all the time."""


PORTS = 5
"""Tries to get a port, which another program may take first."""


class Pooled(Database):
    """The database as the site reaches it through pgbouncer."""

    def __init__(self, database: Database, port: int) -> None:
        self.__dict__.update(vars(database))
        self.port = port

    @property
    def environment(self) -> dict[str, str]:
        """What a process of the site has to know."""
        return super().environment | {"TEST_DATABASE_URL": f"postgres://postgres@127.0.0.1:{self.port}/{NAME}"}


@pytest.fixture
def pooled(database: Database) -> Iterator[Pooled]:
    """pgbouncer before the database."""
    process, port = started(database)
    try:
        yield Pooled(database, port)
    finally:
        process.terminate()
        process.wait()


def started(database: Database) -> tuple[subprocess.Popen[bytes], int]:
    """pgbouncer, and the port at which it listens: another one when somebody takes the one that was free."""
    account = choose_account(database.folder / "data")
    account.takes(database.folder)
    log = database.folder / "pgbouncer.log"
    for _ in range(PORTS):
        port = free_port()
        log.unlink(missing_ok=True)
        process = account.popen([program("pgbouncer"), str(settings(database, port, log))])
        while process.poll() is None:
            if log.exists() and "process up" in log.read_text():
                return process, port
    raise AssertionError(log.read_text())


def settings(database: Database, port: int, log: Path) -> Path:
    """The example's, for this database and port."""
    text = (EXAMPLES / "pgbouncer.ini").read_text()
    sockets = database.url.partition("host=")[2]
    for before, after in (
        ("chatbot = host=db.example.org port=5432 dbname=chatbot", f"{NAME} = host={sockets} dbname={NAME}"),
        ("listen_port = 6432", f"listen_port = {port}\nunix_socket_dir =\nlogfile = {log}"),
        ("auth_type = scram-sha-256\nauth_file = /etc/pgbouncer/userlist.txt", "auth_type = any"),
        ("default_pool_size = 20", f"default_pool_size = {POOL}"),
    ):
        assert before in text
        text = text.replace(before, after)
    # Whoever asks is this one.
    text = text.replace(f"dbname={NAME}\n", f"dbname={NAME} user=postgres\n", 1)
    assert "pool_mode = transaction" in text
    file = database.folder / "pgbouncer.ini"
    file.write_text(text)
    file.chmod(0o644)
    return file


async def test_people_chat_through_a_pooler_that_hands_connections_on(
    pooled: Pooled, provider: ScriptedProvider, tmp_path: Path, chance: Chance
) -> None:
    provider.answer(script_for)
    async with Site(pooled, provider, tmp_path, processes=2) as site, Person(site) as person:

        async def ask_and_watch(number: int) -> None:
            await asyncio.sleep(chance(number).uniform(0, 2))
            await person.watch(await person.ask(Speech(number, words=40, interval=0.02)))

        await asyncio.gather(*map(ask_and_watch, range(TURNS)))
        await all_hold(site, person)
        assert len(pooled.sessions()) <= POOL


@pytest.mark.full
def test_the_commands_work_through_the_pooler(pooled: Pooled, tmp_path: Path) -> None:
    pooled.empty()
    archive = tmp_path / "old.jsonl.zst"
    manage(pooled, "migrate", "--verbosity=0")
    manage(pooled, "seed_demo", "--users=3", "--conversations=60", "--messages=2k", "--force")
    before = rows(pooled)
    manage(pooled, "prune_conversations", "--older-than=0d", "--no-keep-pinned", f"--archive-to={archive}")
    assert rows(pooled) == []
    manage(pooled, "restore_archive", archive)
    assert rows(pooled) == before
    ((email,),) = pooled.rows("SELECT min(email) FROM accounts_user")
    manage(pooled, "export_user", email, tmp_path / "person.zip")
    manage(pooled, "usage", "--since=2y", "--by=user")
    manage(pooled, "erase_user", email)
    assert pooled.rows("SELECT count(*) FROM accounts_user") == [(2,)]


def rows(database: Database) -> list[tuple[Any, ...]]:
    return database.rows("SELECT id::text, md5(row::text) FROM conversations_message AS row ORDER BY 1")


def manage(database: Database, *arguments: str | Path) -> None:
    environment = os.environ | database.environment | {"TEST_SERVER": "true"}
    subprocess.run([sys.executable, "manage.py", *map(str, arguments)], cwd=ROOT, env=environment, check=True)
