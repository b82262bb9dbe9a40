"""What an app's `chat_tools.py` imports: the decorator of a tool, and what a tool may get, return and raise.

    from tools.define import tool

    @tool
    def add_task(user: User, title: str) -> str:
        '''Add a task to the user's to-do list.

        Args:
            title: What is to be done.
        '''

The model sees the docstring and the arguments. `user` and `call` are given by the server, if the function has arguments
of these names.
"""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeGuard, overload
from uuid import UUID

from tools import text as texts

MARK = "chat_tool"
"""Name of the attribute by which a function is known as a tool."""

PROGRESS_MAX_CHARS = 200
LINK_MAX_CHARS = 2_000
NEVER_IN_LINKS = re.compile(r'[\s\x00-\x1f\x7f"<>]')

type Cell = str | int | float | Decimal | date | datetime | bool | None
"""What a cell of a table may hold."""


class ToolError(Exception):
    """A tool cannot do what it was asked. The words of the exception are for the model, and may reach the person."""


def _tell_nobody(words: str) -> None:
    """Drop a progress that nobody wants."""


@dataclass(frozen=True, slots=True)
class Call:
    """The call that a tool works for, given to a tool with an argument `call`."""

    key: UUID
    """The call's own key: the same when the call is run again, so another system can know the repetition by it."""
    conversation_id: UUID | None = None
    """The conversation in which the model asked; None outside of one."""
    on_progress: Callable[[str], None] = _tell_nobody
    """What is done with a progress."""

    def progress(self, text: str) -> None:
        """Say in a few words how far the tool is. Safe in any thread."""
        if words := texts.line(str(text), PROGRESS_MAX_CHARS):
            self.on_progress(words)


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a tool returns: the page shows it as one, and the model reads it as CSV."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    links: Sequence[str | None] = ()
    """An address for each row, or nothing: a path of the site (`/tasks/`), or one with http or https."""

    def __post_init__(self) -> None:
        """Check the shape, and keep safe addresses only. Raises `ValueError` or `TypeError`."""
        rows = tuple(tuple(row) for row in self.rows)
        object.__setattr__(self, "columns", tuple(map(str, self.columns)))
        object.__setattr__(self, "rows", rows)
        if not self.columns:
            raise ValueError("A table needs columns.")
        for number, row in enumerate(rows, 1):
            if len(row) != len(self.columns):
                raise ValueError(f"Row {number} has {len(row)} cells, and the table has {len(self.columns)} columns.")
            for cell in row:
                if not isinstance(cell, Cell.__value__):
                    raise TypeError(f"Row {number} has a {type(cell).__name__}, which is no text, number or date.")
        links = tuple(self.links)
        if links and len(links) != len(rows):
            raise ValueError(f"The table has {len(rows)} rows and {len(links)} links.")
        object.__setattr__(self, "links", tuple(texts.storable(link) if is_safe(link) else None for link in links))


def is_safe(link: Any) -> TypeGuard[str]:
    """Whether a link of a table may be shown: it leads to this site by its path, or elsewhere by http or https."""
    if not isinstance(link, str) or len(link) > LINK_MAX_CHARS or NEVER_IN_LINKS.search(link):
        return False
    # Browsers take a backslash for a slash, and two slashes for the beginning of another host.
    if link.startswith("/"):
        return not link.startswith("//") and "\\" not in link
    return link.lower().startswith(("https://", "http://"))


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the decorator of a tool says of it."""

    confirm: bool = False
    read_only: bool = False
    idempotent: bool = False
    atomic: bool = True
    permission: str = ""
    step: str = ""
    done: str = ""
    redefined: str = ""
    """Where the module has another tool of the same name, which this one replaces; empty without one."""
    unknown: tuple[str, ...] = ()
    """Names of keywords that no decorator has."""


FLAGS = ("confirm", "read_only", "idempotent", "atomic")
TEXTS = ("permission", "step", "done")
KEYWORDS = frozenset({*FLAGS, *TEXTS})


@overload
def tool[F: Callable[..., Any]](function: F, /) -> F: ...


@overload
def tool[F: Callable[..., Any]](
    *,
    confirm: bool = False,
    read_only: bool = False,
    idempotent: bool = False,
    atomic: bool = True,
    permission: str = "",
    step: str = "",
    done: str = "",
) -> Callable[[F], F]: ...


def tool(function: Any = None, /, **said: Any) -> Any:
    """Make the function a tool of the model; the function itself stays as it is.

    `confirm`: the person is asked before each call. `read_only`: it changes nothing, so it may run at any time, and
    again. `idempotent`: running it again has no further effect. `atomic`: a synchronous tool runs in one transaction
    with the record that it is done; False for one that acts outside of the database. `permission`: who lacks it is not
    offered the tool, such as `shop.change_order`. `step` and `done`: what a call does and has done, in words for the
    person, with arguments in braces: `Adding “{title}” to your list`.
    """

    def mark(marked: Any) -> Any:
        known = {name: value for name, value in said.items() if name in KEYWORDS}
        unknown = tuple(sorted(said.keys() - KEYWORDS))
        setattr(marked, MARK, Declaration(**known, redefined=_earlier(marked), unknown=unknown))
        return marked

    return mark if function is None else mark(function)


def _earlier(function: Any) -> str:
    """Where the function's module has another tool of this name; empty without one, or if the module is reloaded."""
    name = getattr(function, "__name__", "")
    if getattr(function, "__qualname__", "") != name:
        # Not of a module, but within a function or class.
        return ""
    earlier = getattr(function, "__globals__", {}).get(name)
    if not hasattr(earlier, MARK) or where(earlier) == where(function):
        return ""
    return where(earlier)


def where(function: Any) -> str:
    """File and line of a function, `shop/chat_tools.py:12`; its module where it has none."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return str(getattr(function, "__module__", "") or "an unknown module")
    return f"{code.co_filename}:{code.co_firstlineno}"
