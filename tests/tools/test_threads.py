"""The threads of tools: few of them, and calls are refused rather than left waiting for ever."""

import asyncio
import threading

import pytest
from django.contrib.auth.models import Group
from pytest_django import Settings

from accounts.models import User
from tests.tools.calling import (
    PATIENCE,
    Gate,
    add,
    called,
    free,
    names,
    stopped,
    tool_of,
    until,
)
from tools.running import End, Stopped
from tools.threads import threads

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_left")]


async def test_no_more_tools_run_at_the_same_time_than_there_are_threads(user: User, settings: Settings) -> None:
    settings.CHAT_TOOL_THREADS = 3
    together, most, lock = list[int](), list[int](), threading.Lock()

    def work(number: int) -> str:
        """Do something with others."""
        with lock:
            together.append(number)
            most.append(len(together))
        Group.objects.count()
        with lock:
            together.remove(number)
        return str(number)

    tool = tool_of(work)
    ends = await asyncio.gather(*(called(tool, user, number=number) for number in range(15)))
    assert [ended.words for ended in ends] == [str(number) for number in range(15)]
    assert max(most) <= 3


async def test_calls_are_refused_at_once_where_too_many_wait(user: User, gate: Gate, settings: Settings) -> None:
    settings.CHAT_TOOL_THREADS = 1

    def slow() -> str:
        """Take some time."""
        gate.wait()
        return "done"

    tool = tool_of(slow)
    waiting = [asyncio.create_task(called(tool, user)) for _ in range(5)]
    await until(lambda: threads().counts()["waiting"] == 4)
    ended = await called(tool, user)
    assert (ended.end, ended.may_have_happened) == (End.REFUSED, False)
    assert ended.words == "The tool was not run: too many other tools are still running. Try again later."
    gate.open()
    assert {ended.words for ended in await asyncio.gather(*waiting)} == {"done"}


async def test_where_every_thread_hangs_calls_are_refused_at_once(user: User, gate: Gate, settings: Settings) -> None:
    settings.CHAT_TOOL_THREADS = 2
    settings.CHAT_TOOL_SECONDS = 0.2

    def hang() -> str:
        """Never return."""
        gate.wait()
        return ""

    tool = tool_of(hang)
    hanging = [asyncio.create_task(called(tool, user)) for _ in range(2)]
    await until(lambda: threads().counts()["busy"] == 2)
    waiting = [asyncio.create_task(called(tool_of(add), user, title=f"milk {number}")) for number in range(3)]
    assert {ended.end for ended in await asyncio.gather(*hanging)} == {End.TIMED_OUT}
    assert {ended.end for ended in await asyncio.gather(*waiting)} == {End.REFUSED}
    assert (await called(tool_of(add), user, title="bread")).end is End.REFUSED
    assert names() == set()
    gate.open()
    await free()
    assert (await called(tool_of(add), user, title="bread")).end is End.DONE


async def test_a_call_that_is_stopped_while_it_waits_never_runs(user: User, gate: Gate, settings: Settings) -> None:
    settings.CHAT_TOOL_THREADS = 1

    def slow() -> str:
        """Take some time."""
        gate.wait()
        return ""

    first = asyncio.create_task(called(tool_of(slow), user))
    assert await asyncio.to_thread(gate.reached.wait, PATIENCE)
    second = asyncio.create_task(called(tool_of(add, atomic=False), user, title="milk"))
    await until(lambda: threads().counts()["waiting"])
    second.cancel()
    with pytest.raises(Stopped) as stop:
        await second
    assert (stop.value.ended.end, stop.value.ended.may_have_happened) == (End.STOPPED, False)
    assert threads().counts()["waiting"] == 0
    gate.open()
    assert (await first).end is End.DONE
    await free()
    assert "milk" not in names()


async def test_a_tool_that_still_runs_after_a_stop_is_reported_when_its_time_is_over(
    user: User, gate: Gate, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CHAT_TOOL_SECONDS = 0.3

    def slow() -> str:
        """Take some time."""
        gate.wait()
        return ""

    await stopped(asyncio.create_task(called(tool_of(slow), user)), gate)
    await until(lambda: "The tool slow has not returned" in caplog.text)
    assert threads().counts()["hung"] == 1
