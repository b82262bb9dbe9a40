"""A database whose disk is full: said as that, to people, programs, probes and in the log; no limit, no lost text."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test import Client

from accounts import access_tokens
from accounts.models import User
from chatbot.core import readiness
from chatbot.embedded.postgres import cluster
from conversations.models import Message
from tests.kit.server import ROOT
from tests.support.pages import HTMX

WORDS = "disk is full"
FULL = """
CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
END $$;
"""


@pytest.fixture
def full(transactional_db: None) -> Iterator[Callable[[str], None]]:
    """Makes the server answer each write to a table as it does where its disk has no room."""
    tables: list[str] = []

    def fill(table: str) -> None:
        tables.append(table)
        with connection.cursor() as cursor:
            cursor.execute(
                f"CREATE TRIGGER no_space BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION no_space()"
            )

    with connection.cursor() as cursor:
        cursor.execute(FULL)
    yield fill
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DROP TRIGGER no_space ON {table}")
        cursor.execute("DROP FUNCTION no_space")


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/accounts/signup/", {"email": "new@example.org", "password1": "correct horse battery"}),
        ("/accounts/login/", {"login": "new@example.org", "password": "wrong"}),
        ("/accounts/password/reset/", {"email": "new@example.org"}),
    ],
)
def test_attempts_that_cannot_be_counted_are_not_too_many(
    client: Client,
    full: Callable[[str], None],
    path: str,
    fields: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    full("accounts_cache")
    with caplog.at_level(logging.ERROR):
        answer = client.post(path, fields)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert WORDS in answer.text
    assert "Too many" not in answer.text
    assert any("its disk is full" in record.message for record in caplog.records)


def test_what_was_typed_is_given_back(client: Client, full: Callable[[str], None], user: User) -> None:
    client.force_login(user)
    full("conversations_message")
    answer = client.post("/", {"message": "Keep this"})
    assert answer.status_code == 503
    assert WORDS in answer.text
    assert "Keep this" in answer.text
    said = client.post("/", {"message": "Keep this"}, headers=HTMX)
    assert said.status_code == 503
    assert WORDS in said.text
    assert not Message.objects.exists()


def test_a_program_is_told(client: Client, full: Callable[[str], None], user: User) -> None:
    _, token = access_tokens.make(user, name="Program")
    full("conversations_message")
    answer = client.post(
        f"/api/{user.pk}/chat",
        {"message": "Hello"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 503
    assert WORDS in answer.json()["detail"]


def test_a_command_ends_with_a_sentence(full: Callable[[str], None]) -> None:
    full("accounts_user")
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
        "DJANGO_SUPERUSER_PASSWORD": "correct horse battery",
    }
    command = [sys.executable, "manage.py", "createsuperuser", "--noinput", "--email", "boss@example.org"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("The database cannot do that: could not extend file: No space left on device")
    assert ended.stderr.count("\n") == 1


def test_the_first_start_on_a_full_disk_tells_the_reason() -> None:
    output = (
        'creating files ... initdb: error: could not write file "postgresql.conf": No space left on device\n'
        "initdb: removing contents of data directory"
    )
    assert cluster.complaint(output) == 'could not write file "postgresql.conf": No space left on device'


@pytest.mark.django_db
def test_an_entry_that_exists_is_no_failure() -> None:
    assert cache.add("entry", 1)
    assert not cache.add("entry", 2)
    assert cache.get("entry") == 1
    cache.clear()


@pytest.mark.django_db
def test_a_process_is_not_ready_where_the_database_can_write_no_file(client: Client) -> None:
    def refuse(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if sql == readiness.FILE:
            raise OperationalError from psycopg.errors.DiskFull("could not write to file: No space left on device")
        return execute(sql, *rest)

    assert client.get("/readyz").text == "ready"
    with connection.execute_wrapper(refuse):
        answer = client.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "the database's disk is full")


@pytest.mark.django_db
def test_the_look_at_the_disk_writes_a_file() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64kB'")
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {readiness.FILE}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "temp read=" in plan
    assert "written=" in plan
