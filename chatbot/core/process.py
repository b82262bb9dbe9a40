"""State of a process of the site: everything that changes while it runs, in one object.

A module declares its part, `_open = Part(Counter[UUID])`, and reads it where needed, `_open()`. The object is made when
the code is loaded, in a server after the fork; each test begins with a new one. Caches whose values would come out the
same again need no part: they use `functools.cache`.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(eq=False, slots=True)
class Process:
    """The state of one process of the site."""

    current: ClassVar["Process"]
    """The state of the running process."""

    parts: "dict[Part[Any], Any]" = field(default_factory=dict)
    """The parts that were made so far."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held while a part is made, so that all threads get the same one."""


class Part[T]:
    """A part of the process's state, made by `make` on first use."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], T]) -> None:
        self.make = make

    def __call__(self) -> T:
        """This process's part, made if necessary. Safe in any thread."""
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
    """Start with empty state, as a new process would. Running code keeps the parts that it has read."""
    Process.current = Process()


begin()
