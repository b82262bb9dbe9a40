"""Calls that take too long, or that a person stops: their results no longer count."""

import asyncio
import threading

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from pytest_django import Settings

from accounts.models import User
from tests.tools.calling import (
    PATIENCE,
    Gate,
    Rows,
    SlowRows,
    add,
    called,
    free,
    names,
    stopped,
    tool_of,
)
from tools.running import End, Stopped
from tools.threads import threads

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_left")]


async def test_a_late_atomic_tool_is_undone_and_its_result_dropped(
    user: User, gate: Gate, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CHAT_TOOL_SECONDS = 0.2
    left = threading.Event()

    def late() -> str:
        """Come late."""
        try:
            with transaction.atomic():
                gate.wait()
        finally:
            left.set()
        return "late"

    rows = Rows()
    ended = await called(tool_of(late), user, rows)
    assert (ended.end, ended.may_have_happened) == (End.TIMED_OUT, False)
    assert ended.words == "The tool did not answer within 0.2 seconds. It has changed nothing."
    assert threads().counts()["hung"] == 1
    assert "The tool late has not returned after 0.2 seconds, and keeps its thread." in caplog.text
    gate.open()
    assert await asyncio.to_thread(left.wait, PATIENCE)
    await free()
    assert (rows.results, names()) == ([], set())


async def test_a_late_tool_that_is_not_atomic_may_have_happened(user: User, gate: Gate, settings: Settings) -> None:
    settings.CHAT_TOOL_SECONDS = 0.2

    def late() -> str:
        """Come late."""
        gate.wait()
        Group.objects.create(name="milk")
        return "late"

    rows = Rows()
    ended = await called(tool_of(late, atomic=False), user, rows)
    assert (ended.end, ended.may_have_happened) == (End.TIMED_OUT, True)
    gate.open()
    await free()
    assert (rows.results, names()) == ([], {"milk"})


async def test_a_hung_tool_gives_its_locks_back(user: User, gate: Gate, settings: Settings) -> None:
    settings.CHAT_TOOL_SECONDS = 0.2
    Group.objects.create(name="milk")

    def hang() -> str:
        """Lock a row and hang."""
        Group.objects.select_for_update().get(name="milk")
        gate.wait()
        return ""

    assert (await called(tool_of(hang), user)).end is End.TIMED_OUT
    # The database has ended the transaction by itself: this waits for its lock at most that long.
    assert Group.objects.filter(name="milk").update(name="bread") == 1
    assert threads().counts()["hung"] == 1


async def test_a_tool_that_waits_for_a_lock_is_ended_by_the_database(user: User, settings: Settings) -> None:
    settings.CHAT_TOOL_SECONDS = 0.2
    Group.objects.create(name="milk")

    def wait() -> str:
        """Wait for a row."""
        Group.objects.filter(name="milk").update(name="bread")
        return ""

    with transaction.atomic():
        Group.objects.select_for_update().get(name="milk")
        assert (await called(tool_of(wait), user)).end in {End.TIMED_OUT, End.FAILED}
        await free()
    assert names() == {"milk"}


async def test_a_stopped_atomic_tool_is_undone(user: User, gate: Gate) -> None:
    def slow() -> str:
        """Take some time."""
        Group.objects.create(name="milk")
        gate.wait()
        return ""

    rows = Rows()
    ended = await stopped(asyncio.create_task(called(tool_of(slow), user, rows)), gate)
    assert (ended.end, ended.may_have_happened) == (End.STOPPED, False)
    assert ended.words == "The person stopped the tool. It has changed nothing."
    gate.open()
    await free()
    assert (rows.results, names()) == ([], set())


async def test_a_stopped_tool_that_is_not_atomic_may_have_run(user: User, gate: Gate) -> None:
    def slow() -> str:
        """Take some time."""
        gate.wait()
        return ""

    rows = Rows()
    ended = await stopped(asyncio.create_task(called(tool_of(slow, atomic=False), user, rows)), gate)
    assert (ended.end, ended.may_have_happened) == (End.STOPPED, True)
    gate.open()
    await free()
    assert rows.results == []


async def test_a_tool_that_is_stopped_while_its_result_is_stored_is_done(user: User, gate: Gate) -> None:
    rows = SlowRows(gate)
    task = asyncio.create_task(called(tool_of(add), user, rows, title="milk"))
    assert await asyncio.to_thread(gate.reached.wait, PATIENCE)
    task.cancel()
    await asyncio.sleep(0)
    gate.open()
    with pytest.raises(Stopped) as stop:
        await task
    assert stop.value.ended.end is End.DONE
    assert len(rows.results) == 1
    assert "milk" in names()
