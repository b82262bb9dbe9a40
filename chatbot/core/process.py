"""What a process of the site knows: all that changes while it runs, in one object.

A module declares its part of it, `_open = Part(Counter[UUID])`, and asks for that where it is needed, `_open()`. The
object is made when the code is loaded, which in a server comes after the fork; each test begins with a new one. What is
only remembered, and would come out the same again, needs no part: `functools.cache` has it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(eq=False, slots=True)
class Process:
    """One process of the site."""

    current: ClassVar["Process"]
    """This one."""

    parts: "dict[Part[Any], Any]" = field(default_factory=dict)
    """What was asked for so far."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held while a part is made: of several threads that ask, all get the same one."""


class Part[T]:
    """A part of what the process knows, made by `make` when somebody first asks for it."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], T]) -> None:
        self.make = make

    def __call__(self) -> T:
        """The part that this process has. For any thread."""
        process = Process.current
        try:
            part: T = process.parts[self]
        except KeyError:
            with process.lock:
                if self not in process.parts:
                    process.parts[self] = self.make()
                part = process.parts[self]
        return part


def begin() -> None:
    """Be a new process, which knows nothing yet. What still runs goes on with what it has asked for."""
    Process.current = Process()


begin()
