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
from django.test import Client

from accounts.models import User
from tests.factories import ConversationFactory, ReplyFactory

ROOT = Path(__file__).resolve().parents[2]

MAIN = """
import asyncio, gc, json, threading
from chatbot import asgi
from chatbot.core import database
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
        await asgi.warm_up()
        answers, before = [], threading.active_count()

        async def receive():
            return {"type": "http.request"}

        async def send(message):
            answers.append(message.get("status"))

        scope = {"type": "http", "method": "GET", "path": "/preferences/", "query_string": b""}
        scope["headers"] = [(b"host", b"localhost")]
        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(asgi.application(scope, receive, send))
        return answers, threading.active_count() - before
        """,
        WEB_THREADS="3",
    )
    assert answers.count(405) == 50
    assert threads == 3


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
        await asyncio.to_thread(database.close_pools)
        return pooled, threads()
        """
    )
    assert pooled
    assert left == []


@pytest.mark.django_db(transaction=True)
def test_a_page_that_takes_long_waits_for_a_thread_of_its_own_and_others_for_none(
    signed_in: Client, user: User
) -> None:
    heavy, light = ConversationFactory.create_batch(2, user=user)
    ReplyFactory.create(conversation=heavy, content="#\n" * 30_000)
    ReplyFactory.create(conversation=light, content="A *few* words")
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in signed_in.cookies.items())
    others, waited, own = told(
        f"""
        gate = threading.Event()
        asgi.application._long_thread.submit(gate.wait)

        async def page(path):
            sent, asked = [], []

            async def receive():
                if asked:
                    await asyncio.Event().wait()
                asked.append(True)
                return {{"type": "http.request"}}

            async def send(message):
                sent.append(message)

            scope = {{"type": "http", "method": "GET", "path": path, "query_string": b""}}
            scope["headers"] = [(b"host", b"localhost"), (b"cookie", {cookies.encode()!r})]
            await asgi.application(scope, receive, send)
            return sent[0]["status"], b"".join(message.get("body", b"") for message in sent).decode()

        own = asyncio.create_task(page({heavy.get_absolute_url()!r}))
        # One thread serves both: the first is through with the long page before it begins the others.
        others = [await page({light.get_absolute_url()!r}) for _ in range(3)]
        waited = not own.done()
        gate.set()
        return others, waited, await own
        """,
        WEB_THREADS="1",
    )
    assert all(status == 200 and "A <em>few</em> words" in html for status, html in others)
    assert waited
    assert own[0] == 200
    assert "Show formatted" in own[1]


@pytest.mark.parametrize("module", ["accounts.adapter", "accounts.stages", "accounts.urls", "conversations.urls"])
def test_a_module_can_be_the_first_to_be_imported(module: str) -> None:
    # The checks at the start run in no order.
    code = f"import django; django.setup(); import {module}"
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
