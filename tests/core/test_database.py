"""The pool's connections: those that the server has closed are found out, the others are not asked."""

import select
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection as django_connection
from psycopg_pool import ConnectionPool

from chatbot.core import threads
from chatbot.core.database import check_connection, seconds_since_away
from chatbot.core.threads import DatabaseThreads


def address() -> dict[str, Any]:
    """Where the tests' database is."""
    parameters = django_connection.get_connection_params()
    names = ("dbname", "host", "port", "user", "password")
    return {name: parameters[name] for name in names if name in parameters} | {"autocommit": True}


@pytest.fixture
def pooled(db: None) -> Iterator[psycopg.Connection[Any]]:
    """An idle connection, as the pool holds one."""
    with psycopg.connect(**address()) as connection:
        yield connection


def test_a_living_connection_passes_without_a_question(pooled: psycopg.Connection[Any]) -> None:
    question = "SELECT 'the last question'"
    pooled.execute(question)
    check_connection(pooled)
    assert seconds_since_away() == float("inf")
    with django_connection.cursor() as cursor:
        cursor.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [pooled.info.backend_pid])
        assert cursor.fetchone() == (question,)


def test_the_server_compiles_no_statement_of_the_site(db: None) -> None:
    with django_connection.cursor() as cursor:
        cursor.execute("SHOW jit")
        assert cursor.fetchone() == ("off",)


def test_a_connection_that_the_server_has_ended_is_refused(pooled: psycopg.Connection[Any]) -> None:
    with django_connection.cursor() as cursor:
        # Returns once the process has ended, with what it had to say sent.
        cursor.execute("SELECT pg_terminate_backend(%s, 20000)", [pooled.info.backend_pid])
        assert cursor.fetchone() == (True,)
    with pytest.raises(psycopg.OperationalError):
        check_connection(pooled)
    assert seconds_since_away() < float("inf")


def test_a_pool_whose_connections_were_all_ended_does_not_wait_for_each(db: None) -> None:
    checked = []

    def check(connection: psycopg.Connection[Any]) -> None:
        checked.append(connection)
        check_connection(connection)

    with ConnectionPool(kwargs=address(), min_size=6, open=True, check=check, timeout=60) as pool:
        pool.wait()
        connections = [pool.getconn() for _ in range(6)]
        for connection in connections:
            with django_connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s, 20000)", [connection.info.backend_pid])
            pool.putconn(connection)
        checked.clear()
        with pool.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        # One that was ended, and a new one.
        assert len(checked) == 2


def test_a_notice_does_not_cost_a_connection(pooled: psycopg.Connection[Any]) -> None:
    """What arrived may be harmless: the server is asked, and answers."""
    pooled.execute("LISTEN somebody")
    with psycopg.connect(pooled.info.dsn, password=pooled.info.password, autocommit=True) as other:
        other.execute("NOTIFY somebody")
    assert select.select([pooled], [], [], 20)[0]
    check_connection(pooled)
    pooled.execute("SELECT 1")


async def test_a_database_that_answers_late_was_as_good_as_away(monkeypatch: pytest.MonkeyPatch) -> None:
    database = DatabaseThreads(1, "late")
    await database.run(str)
    assert seconds_since_away() == float("inf")
    monkeypatch.setattr(threads, "SILENCE_SECONDS", -1.0)
    await database.run(str)
    assert seconds_since_away() < float("inf")
    database.close()
