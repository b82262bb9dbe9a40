"""The pool's connections: those that the server has closed are found out, the others are not asked."""

import select
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection as django_connection

from chatbot.database import check_connection


@pytest.fixture
def pooled(db: None) -> Iterator[psycopg.Connection[Any]]:
    """An idle connection, as the pool holds one."""
    parameters = django_connection.get_connection_params()
    address = {name: parameters[name] for name in ("dbname", "host", "port", "user", "password") if name in parameters}
    with psycopg.connect(**address, autocommit=True) as connection:
        yield connection


def test_a_living_connection_passes_without_a_question(pooled: psycopg.Connection[Any]) -> None:
    question = "SELECT 'the last question'"
    pooled.execute(question)
    check_connection(pooled)
    with django_connection.cursor() as cursor:
        cursor.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [pooled.info.backend_pid])
        assert cursor.fetchone() == (question,)


def test_a_connection_that_the_server_has_ended_is_refused(pooled: psycopg.Connection[Any]) -> None:
    with django_connection.cursor() as cursor:
        # Returns once the process has ended, with what it had to say sent.
        cursor.execute("SELECT pg_terminate_backend(%s, 20000)", [pooled.info.backend_pid])
        assert cursor.fetchone() == (True,)
    with pytest.raises(psycopg.OperationalError):
        check_connection(pooled)


def test_a_notice_does_not_cost_a_connection(pooled: psycopg.Connection[Any]) -> None:
    """What arrived may be harmless: the server is asked, and answers."""
    pooled.execute("LISTEN somebody")
    with psycopg.connect(pooled.info.dsn, password=pooled.info.password, autocommit=True) as other:
        other.execute("NOTIFY somebody")
    assert select.select([pooled], [], [], 20)[0]
    check_connection(pooled)
    pooled.execute("SELECT 1")
