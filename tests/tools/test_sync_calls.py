"""Calls of synchronous tools: what they do, and who may make them."""

import asyncio
import threading
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from pytest_django import Settings

from accounts.models import User
from tests.tools.calling import (
    PATIENCE,
    Gate,
    Rows,
    add,
    called,
    free,
    names,
    stopped,
    tool_of,
)
from tools.define import Call, Table
from tools.models import Policy, ToolPolicy
from tools.running import End

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_left")]


async def test_a_tool_does_its_work_and_its_result_is_stored(user: User) -> None:
    rows, key, told = Rows(), uuid4(), list[str]()
    tool = tool_of(add)
    ended = await called(tool, user, rows, key=key, on_progress=told.append, **tool.arguments('{"title": "milk"}'))
    assert (ended.end, ended.words) == (End.DONE, f"{user} added milk")
    assert rows.results == [ended.result]
    assert names() == {"milk", str(key)}
    assert ended.seconds > 0
    assert not ended.may_have_happened


async def test_the_progress_is_told_in_the_event_loop_and_never_after_the_end(user: User, gate: Gate) -> None:
    told, here = list[tuple[str, bool]](), threading.get_ident()

    def slow(call: Call) -> str:
        """Take some time."""
        for number in range(10_000):
            call.progress(f"{number} done")
        gate.wait()
        call.progress("over")
        return ""

    def tell(words: str) -> None:
        told.append((words, threading.get_ident() == here))
        if words == "9999 done":
            seen.set()

    seen = asyncio.Event()
    task = asyncio.create_task(called(tool_of(slow), user, on_progress=tell))
    await asyncio.wait_for(seen.wait(), PATIENCE)
    await stopped(task, gate)
    gate.open()
    await free()
    await asyncio.sleep(0)
    assert told[-1] == ("9999 done", True)
    assert all(is_here for _, is_here in told)
    # Those that came in between are not told one by one.
    assert len(told) < 10_000


@pytest.mark.parametrize("said", [{}, {"atomic": False}, {"read_only": True}])
async def test_a_result_that_nobody_wants_is_not_stored(user: User, said: dict[str, bool]) -> None:
    def look() -> str:
        """Look around."""
        return "seen"

    ended = await called(tool_of(look, **said), user, Rows(accepts=False))
    assert ended.end is End.LOST
    assert ended.may_have_happened is (said == {"atomic": False})


async def test_a_large_result_is_stored_cut(user: User) -> None:
    def read() -> str:
        """Read a book."""
        return "<b>\0\ud800" * 2_000_000

    rows = Rows()
    ended = await called(tool_of(read), user, rows)
    assert ended.end is End.DONE
    assert rows.results[0].is_cut
    assert "of 8,000,000 characters" in ended.words


async def test_a_table_comes_back_as_one(user: User) -> None:
    def stock() -> Table:
        """List the stock."""
        return Table(("article",), [("tea",)])

    ended = await called(tool_of(stock), user)
    assert ended.result
    assert ended.result.table == Table(("article",), [("tea",)])


async def test_wrong_arguments_are_a_failure_of_the_tool(user: User) -> None:
    ended = await called(tool_of(add), user, color="red")
    assert ended.end is End.FAILED


async def test_a_closed_account_can_do_nothing(user: User) -> None:
    tool = tool_of(add)
    User.objects.filter(pk=user.pk).update(is_active=False)
    ended = await called(tool, user, title="milk")
    assert (ended.end, ended.words) == (End.FAILED, "The tool was not run: the person's account is closed.")
    User.objects.filter(pk=user.pk).delete()
    assert (await called(tool, user, title="milk")).end is End.FAILED
    assert names() == set()


@pytest.mark.parametrize("said", [{}, {"atomic": False}, {"read_only": True}])
async def test_a_permission_that_was_lost_since_holds_at_once(user: User, said: dict[str, bool]) -> None:
    def look() -> str:
        """Look around."""
        return "seen"

    tool = tool_of(look, permission="auth.view_group", **said)
    user.user_permissions.add(Permission.objects.get(codename="view_group"))
    user = User.objects.get(pk=user.pk)
    assert tool.may_be_used_by(user)
    assert (await called(tool, user)).end is End.DONE
    user.user_permissions.clear()
    # The object that the caller has still remembers the permission.
    assert tool.may_be_used_by(user)
    ended = await called(tool, user)
    assert (ended.end, ended.may_have_happened) == (End.FAILED, False)
    assert ended.words == "The tool was not run: the person does not have the permission that it needs."


async def test_a_tool_that_was_turned_off_since_does_not_run(user: User, settings: Settings) -> None:
    tool = tool_of(add)
    ToolPolicy.decide("add", Policy.NEVER, by=user)
    ended = await called(tool, user, title="milk")
    assert ended.words == "The tool was not run: an administrator has turned it off."
    ToolPolicy.decide("add", Policy.ALLOW, by=user)
    settings.CHAT_TOOLS = False
    ended = await called(tool, user, title="milk")
    assert ended.words == "The tool was not run: tools are turned off on this site."
    assert names() == set()


async def test_the_tool_gets_the_person_as_the_database_has_them(user: User) -> None:
    def address(user: User) -> str:
        """Tell the address."""
        return str(user.email)

    User.objects.filter(pk=user.pk).update(email="new@example.org")
    assert (await called(tool_of(address), user)).words == "new@example.org"
