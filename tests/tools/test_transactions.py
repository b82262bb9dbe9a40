"""An atomic tool and the record of its end share one transaction, whatever the tool does to it."""

import contextlib
import threading
from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction

from accounts.models import User
from chatbot.core import sql
from chatbot.core.database import seconds_since_away
from tests.tools.calling import PATIENCE, BrokenRows, NoRows, Rows, add, called, names, tool_of
from tools.define import ToolError
from tools.running import End

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_left")]


async def test_what_an_atomic_tool_did_is_undone_where_its_result_is_not_stored(user: User) -> None:
    ended = await called(tool_of(add), user, Rows(accepts=False), title="milk")
    assert ended.end is End.LOST
    assert names() == set()


async def test_what_an_atomic_tool_did_is_undone_where_storing_fails(user: User) -> None:
    ended = await called(tool_of(add), user, BrokenRows(), title="milk")
    assert (ended.end, ended.may_have_happened) == (End.FAILED, False)
    assert names() == set()


async def test_what_another_tool_did_stays_and_its_result_is_given_to_the_caller(user: User) -> None:
    ended = await called(tool_of(add, atomic=False), user, BrokenRows(), title="milk")
    assert (ended.end, ended.may_have_happened) == (End.UNSTORED, True)
    assert ended.result
    assert ended.words.endswith("added milk")
    assert names() == {"milk"}


async def test_a_tool_that_is_not_atomic_keeps_what_it_did_when_it_fails(user: User) -> None:
    def pay(amount: int) -> str:
        """Pay something."""
        Group.objects.create(name=f"paid {amount}")
        raise ToolError("No receipt came.")

    ended = await called(tool_of(pay, atomic=False), user, amount=3)
    assert ended.end is End.FAILED
    assert ended.words == "The tool failed: No receipt came. What it was to do may have happened."
    assert ended.may_have_happened
    assert names() == {"paid 3"}


async def test_what_fails_after_the_commit_changes_nothing_of_it(user: User) -> None:
    def hooked(title: str) -> str:
        """Add a group, and fail afterwards."""
        Group.objects.create(name=title)
        transaction.on_commit(lambda: sql.run("SELECT 1/0"))
        return "added"

    rows = Rows()
    ended = await called(tool_of(hooked), user, rows, title="milk")
    assert (ended.end, ended.words, len(rows.results)) == (End.DONE, "added", 1)
    assert "milk" in names()


async def test_what_the_database_refuses_at_the_commit_has_not_happened(user: User) -> None:
    def dangling() -> str:
        """Refer to a group that is not there."""
        Group.permissions.through.objects.create(
            group_id=-1, permission_id=Permission.objects.get(codename="add_group").pk
        )
        return "added"

    ended = await called(tool_of(dangling), user, NoRows())
    assert (ended.end, ended.may_have_happened) == (End.FAILED, False)
    assert not Group.permissions.through.objects.exists()


async def test_a_tool_that_changes_nothing_is_held_to_it(user: User) -> None:
    ended = await called(tool_of(add, read_only=True), user, title="milk")
    assert ended.end is End.FAILED
    assert names() == set()


async def test_a_tool_that_breaks_its_transaction_has_done_nothing(user: User) -> None:
    def careless() -> str:
        """Do it, whatever happens."""
        Group.objects.create(name="milk")
        with contextlib.suppress(Exception):
            sql.run("SELECT 1/0")
        return "fine"

    rows = Rows()
    ended = await called(tool_of(careless), user, rows)
    assert (ended.end, ended.may_have_happened, rows.results) == (End.FAILED, False, [])
    assert ended.words.startswith("The tool failed because of an error in it.")
    # It is the tool that is at fault, not the database.
    assert seconds_since_away() == float("inf")
    assert names() == set()


@pytest.mark.parametrize(
    "act",
    [
        lambda: connection.close(),
        lambda: transaction.set_rollback(True),
        lambda: connection.connection.close(),
        lambda: end_own(),
        lambda: transaction.commit(),
    ],
)
async def test_a_tool_that_closes_or_loses_its_connection_has_done_nothing(
    user: User, act: Callable[[], object]
) -> None:
    def rude() -> str:
        """Close what others have opened."""
        Group.objects.create(name="milk")
        act()
        return "fine"

    ended = await called(tool_of(rude), user, NoRows())
    assert (ended.end, names()) == (End.FAILED, set())
    assert (await called(tool_of(add), user, title="bread")).end is End.DONE


def end_own() -> None:
    """End this thread's connection from another one."""
    pid = sql.value("SELECT pg_backend_pid()")

    def end() -> None:
        sql.run("SELECT pg_terminate_backend(%s, 20000)", [pid])
        connection.close()

    helper = threading.Thread(target=end)
    helper.start()
    helper.join(PATIENCE)


async def test_a_database_that_goes_away_in_the_middle_is_told(user: User) -> None:
    def cut() -> str:
        """Lose the database."""
        Group.objects.create(name="milk")
        end_own()
        return str(Group.objects.count())

    ended = await called(tool_of(cut), user)
    assert ended.words == "The tool failed: the database did not answer."
    assert not ended.may_have_happened
    assert seconds_since_away() < PATIENCE
    assert names() == set()


async def test_a_tool_that_leaves_its_connection_in_disorder_spoils_no_later_call(user: User) -> None:
    def messy() -> str:
        """Leave a mess."""
        transaction.set_autocommit(False)
        Group.objects.create(name="milk")
        return "fine"

    rows = Rows()
    assert (await called(tool_of(messy, atomic=False), user, rows)).end is End.DONE
    assert len(rows.results) == 1
    assert "milk" not in names()
    assert (await called(tool_of(add), user, title="bread")).end is End.DONE
