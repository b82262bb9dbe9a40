"""What tests of calls have in common."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Group

from accounts.models import User
from chatbot.core import sql
from tools import registry
from tools.define import Call, tool
from tools.results import Result
from tools.running import Ended, Stopped, run
from tools.tool import Tool

PATIENCE = 30
"""Seconds after which a gate that nobody opens lets a test fail."""


class Rows:
    """Stands for the rows of calls: each result that is stored is a group, named after its call."""

    def __init__(self, *, accepts: bool = True) -> None:
        self.accepts = accepts
        self.results: list[Result] = []

    def store(self, key: UUID) -> Callable[[Result], bool]:
        def stored(result: Result) -> bool:
            if self.accepts:
                Group.objects.create(name=str(key))
                self.results.append(result)
            return self.accepts

        return stored

    def has(self, key: UUID) -> bool:
        """Whether a result of this call is stored."""
        return Group.objects.filter(name=str(key)).exists()


class Gate:
    """A place at which a tool waits until the test lets it go."""

    def __init__(self) -> None:
        self.reached, self._open = threading.Event(), threading.Event()

    def wait(self) -> None:
        """Wait in the tool's thread."""
        self.reached.set()
        assert self._open.wait(PATIENCE)

    def open(self) -> None:
        """Let the tool go on."""
        self._open.set()


def tool_of(function: Any, **said: Any) -> Tool:
    """The function as a tool of this test alone."""
    marked = tool(**said)(function)
    registry.register(marked)
    found = registry.get(function.__name__)
    assert found, registry.faults()
    return found


async def called(
    tool: Tool,
    user: User,
    rows: Rows | None = None,
    *,
    key: UUID | None = None,
    on_progress: Callable[[str], None] | None = None,
    **arguments: Any,
) -> Ended:
    """How a call of the tool ends."""
    key = key or uuid4()
    call = Call(key, on_progress=on_progress) if on_progress else Call(key)
    return await run(tool, user=user, arguments=arguments, call=call, store=(rows or Rows()).store(key))


def names() -> set[str]:
    """What tools and stores have written into the database."""
    return set(Group.objects.values_list("name", flat=True))


def add(user: User, call: Call, title: str) -> str:
    """Add a group."""
    Group.objects.create(name=title)
    call.progress("Added it")
    return f"{user} added {title}"


async def until(condition: Callable[[], object]) -> None:
    """Wait until something has come true in another thread, or outside of this process."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (nothing tells when that is)
            await asyncio.sleep(0.005)


async def free() -> None:
    """Wait until all threads of tools have ended."""
    await until(lambda: not any(thread.name == "tool" for thread in threading.enumerate()))


async def stopped(task: "asyncio.Task[Ended]", gate: Gate) -> Ended:
    """How a call ends that is stopped once its tool waits at the gate."""
    assert await asyncio.to_thread(gate.reached.wait, PATIENCE)
    task.cancel()
    with pytest.raises(Stopped) as stop:
        await task
    assert task.cancelled()
    return stop.value.ended


class SlowRows(Rows):
    """Rows that are stored once the test lets them be."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def store(self, key: UUID) -> Callable[[Result], bool]:
        stored = super().store(key)

        def wait(result: Result) -> bool:
            self.gate.wait()
            return stored(result)

        return wait


class BrokenRows(Rows):
    """Rows that the database refuses to store."""

    def store(self, key: UUID) -> Callable[[Result], bool]:
        return lambda result: bool(sql.value("SELECT 1/0"))


class NoRows(Rows):
    """Rows that are nowhere: nothing but the call itself can notice that the transaction is over."""

    def store(self, key: UUID) -> Callable[[Result], bool]:
        return lambda result: True
