"""A process says whether it can serve people, and does not start on a database of an older version."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from chatbot.core import readiness
from tests.kit.server import ROOT

LACKING = ("conversations", "0004_window")


@pytest.fixture
def behind(transactional_db: None) -> Iterator[None]:
    """A database that lacks a migration, as far as it knows."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = %s AND name = %s", LACKING)
    yield
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, now())", LACKING)


@pytest.mark.django_db
def test_a_process_that_can_serve_says_so_to_anybody() -> None:
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.text) == (200, "ready")
    assert readiness.refusal() == ""


@pytest.mark.usefixtures("behind")
def test_a_process_on_a_database_that_is_behind_is_not_ready_but_alive() -> None:
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.text) == (503, "1 migrations are not applied")
    assert Client().get("/healthz").status_code == 200


@pytest.mark.django_db
def test_a_process_whose_database_is_away_is_not_ready_but_alive() -> None:
    def away(*args: object) -> object:
        from django.db import OperationalError

        raise OperationalError("away")

    with connection.execute_wrapper(away):
        answer = Client().get("/readyz")
        assert Client().get("/healthz").status_code == 200
    assert (answer.status_code, answer.text) == (503, "the database is not available")


@pytest.mark.usefixtures("behind")
def test_the_server_does_not_start_on_a_database_that_is_behind_and_says_what_is_missing() -> None:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_SERVER": "true",
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
    }
    command = [sys.executable, "-m", "uvicorn", "chatbot.asgi:application", "--port", "0", "--lifespan", "on"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "conversations.0004_window" in ended.stderr
    assert "manage.py migrate" in ended.stderr
