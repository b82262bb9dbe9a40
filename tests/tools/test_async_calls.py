"""Calls of asynchronous tools: in the event loop, cancelled when their time is over or a person stops them."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, Permission
from django.db import connection
from pytest_django import Settings

from accounts.models import User
from tests.tools.calling import PATIENCE, BrokenRows, Gate, Rows, SlowRows, called, names, tool_of
from tools import async_calls
from tools.define import Call, ToolError
from tools.running import End, Stopped

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_left")]


async def add(user: User, call: Call, title: str) -> str:
    """Add a group."""
    await Group.objects.acreate(name=title)
    call.progress("Added it")
    await asyncio.sleep(0)
    return f"{user} added {title}"


async def test_a_tool_does_its_work_and_its_result_is_stored(user: User) -> None:
    rows, told = Rows(), list[str]()
    ended = await called(tool_of(add), user, rows, on_progress=told.append, title="milk")
    assert (ended.end, ended.words) == (End.DONE, f"{user} added milk")
    assert rows.results == [ended.result]
    assert told == ["Added it"]
    assert "milk" in names()


async def test_a_tool_runs_in_the_loop_and_several_run_together(user: User) -> None:
    there, here = asyncio.Barrier(3), threading.get_ident()

    async def meet() -> bool:
        """Meet the others."""
        await there.wait()
        return threading.get_ident() == here

    tool = tool_of(meet)
    ends = await asyncio.gather(*(called(tool, user) for _ in range(3)))
    assert {ended.words for ended in ends} == {"true"}


async def test_what_a_tool_did_stays_where_its_result_cannot_be_stored(user: User) -> None:
    tool = tool_of(add)
    ended = await called(tool, user, Rows(accepts=False), title="milk")
    assert (ended.end, ended.may_have_happened) == (End.LOST, True)
    ended = await called(tool, user, BrokenRows(), title="bread")
    assert (ended.end, ended.may_have_happened) == (End.UNSTORED, True)
    assert ended.result
    assert names() == {"milk", "bread"}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ToolError("No such task."), "The tool failed: No such task."),
        (RuntimeError("secret"), "The tool failed because of an error in it. The site's administrators can see it."),
        (SystemExit("secret"), "The tool failed because of an error in it. The site's administrators can see it."),
        (KeyboardInterrupt(), "The tool failed because of an error in it. The site's administrators can see it."),
        (asyncio.CancelledError(), "The tool failed because of an error in it. The site's administrators can see it."),
        (GeneratorExit(), "The tool failed because of an error in it. The site's administrators can see it."),
    ],
)
async def test_what_a_tool_raises_is_told_in_words(user: User, error: BaseException, words: str) -> None:
    async def fail() -> str:
        """Fail in some way."""
        raise error

    ended = await called(tool_of(fail), user)
    assert (ended.end, ended.words) == (End.FAILED, f"{words} What it was to do may have happened.")


@pytest.mark.parametrize(("value", "words"), [(object, "a object"), (Group.objects.all, "a QuerySet")])
async def test_a_useless_return_value_is_a_failure(user: User, value: Callable[[], Any], words: str) -> None:
    async def give() -> Any:
        """Give something strange."""
        return value()

    ended = await called(tool_of(give), user)
    assert ended.end is End.FAILED
    assert words in ended.words


async def test_a_large_result_is_cut_outside_of_the_loop(user: User) -> None:
    threads = set[str]()

    class Watched(str):
        """A text that tells in which thread it is looked at."""

        __slots__ = ()

        def replace(self, *_: Any) -> str:
            threads.add(threading.current_thread().name)
            return str(self)

    async def read() -> str:
        """Read a book."""
        return Watched("x" * 10_000_000)

    ended = await called(tool_of(read), user)
    assert "of 10,000,000 characters" in ended.words
    assert {name.rpartition("_")[0] for name in threads} == {"tools"}


async def test_a_tool_that_takes_too_long_is_cancelled(user: User, settings: Settings) -> None:
    settings.CHAT_TOOL_SECONDS = 0.1
    cancelled = list[bool]()

    async def hang() -> str:
        """Never return."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return ""

    rows = Rows()
    ended = await called(tool_of(hang), user, rows)
    assert (ended.end, ended.may_have_happened) == (End.TIMED_OUT, True)
    assert ended.words == "The tool did not answer within 0.1 seconds. What it was to do may have happened."
    assert (cancelled, rows.results, async_calls.running()) == ([True], [], set())


async def test_a_tool_that_answers_its_cancellation_is_over_all_the_same(user: User, settings: Settings) -> None:
    settings.CHAT_TOOL_SECONDS = 0.1

    async def stubborn() -> str:
        """Return something after all."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "late"
        return ""

    rows = Rows()
    assert (await called(tool_of(stubborn, read_only=True), user, rows)).end is End.TIMED_OUT
    assert rows.results == []


async def test_a_tool_that_does_not_end_is_left_behind_and_counted(
    user: User, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CHAT_TOOL_SECONDS = 0.1
    monkeypatch.setattr(async_calls, "END_SECONDS", 0.1)
    released = asyncio.Event()

    async def deaf() -> str:
        """Listen to nobody."""
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue
        raise RuntimeError("nobody reads this")

    assert (await called(tool_of(deaf), user)).end is End.TIMED_OUT
    assert "The tool deaf was cancelled, and does not end." in caplog.text
    (left,) = async_calls.running()
    released.set()
    await asyncio.wait({left})
    await asyncio.sleep(0)
    assert async_calls.running() == set()


async def test_a_stopped_tool_is_cancelled(user: User) -> None:
    begun, cancelled = asyncio.Event(), list[bool]()

    async def slow() -> str:
        """Take some time."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)
        return ""

    rows = Rows()
    task = asyncio.create_task(called(tool_of(slow), user, rows))
    await begun.wait()
    task.cancel()
    with pytest.raises(Stopped) as stop:
        await task
    assert (stop.value.ended.end, stop.value.ended.may_have_happened) == (End.STOPPED, True)
    assert (cancelled, rows.results, async_calls.running()) == ([True], [], set())


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


async def test_a_lost_permission_holds_at_once(user: User) -> None:
    tool = tool_of(add, permission="auth.add_group")
    user.user_permissions.add(Permission.objects.get(codename="add_group"))
    assert (await called(tool, user, title="milk")).end is End.DONE
    user.user_permissions.clear()
    ended = await called(tool, user, title="bread")
    assert (ended.end, ended.may_have_happened) == (End.FAILED, False)
    assert ended.words == "The tool was not run: the person does not have the permission that it needs."
    assert "bread" not in names()


async def test_the_connection_that_a_tool_used_is_given_back(user: User) -> None:
    seen = list[int]()

    async def look() -> int:
        """Look at the database."""
        seen.append(await Group.objects.acount())
        return seen[0]

    await called(tool_of(look), user)

    assert seen == [0]
    # The thread in which the tool's query ran.
    assert await sync_to_async(lambda: connection.connection is None)()
