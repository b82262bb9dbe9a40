"""A server process as a whole, in a process of its own: its threads, and what garbage collection spares it."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent

MAIN = """
import asyncio, gc, json, threading
from chatbot import asgi
from django.db import connection

async def main():
{steps}

print(json.dumps(asyncio.run(main())))
"""


def told(steps: str, **environment: str) -> Any:
    """What these steps return, run in the event loop of a server process; `environment` is the site's."""
    own = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_SERVER": "true",
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
    }
    program = MAIN.format(steps=textwrap.indent(textwrap.dedent(steps), "    "))
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ | own | environment, stdout=subprocess.PIPE, check=True)
    return json.loads(ended.stdout)


def test_what_is_loaded_before_the_first_request_is_never_collected() -> None:
    frozen, left = told(
        """
        await asgi.warm_up()
        return gc.get_freeze_count(), len(gc.get_objects())
        """
    )
    assert frozen > 50 * left


def test_requests_share_the_threads_that_the_settings_allow() -> None:
    answers, threads = told(
        """
        answers = []

        async def receive():
            return {"type": "http.request"}

        async def send(message):
            answers.append(message.get("status"))

        scope = {"type": "http", "method": "GET", "path": "/preferences/", "query_string": b""}
        scope["headers"] = [(b"host", b"localhost")]
        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(asgi.application(scope, receive, send))
        return answers, [thread.name for thread in threading.enumerate()]
        """,
        WEB_THREADS="3",
    )
    assert answers.count(405) == 50
    assert len(threads) == 1 + 3


@pytest.mark.django_db(transaction=True)
def test_a_process_that_ends_leaves_no_thread_of_its_pool() -> None:
    pooled, left = told(
        """
        def ask():
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            connection.close()

        def threads():
            return [thread.name for thread in threading.enumerate() if thread.name.startswith("pool-")]

        await asyncio.to_thread(ask)
        pooled = threads()
        await asyncio.to_thread(asgi.close_pools)
        return pooled, threads()
        """
    )
    assert pooled
    assert left == []
