"""A thread of its own for work that is too long for the threads that serve requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpResponse

_moves: ContextVar[bool] = ContextVar("moves", default=False)


class Moved(Exception):
    """The request must be answered by the thread for long work, from its beginning."""


class MovedResponse(HttpResponse):
    """Stands for the response that the thread for long work will make."""


def begin() -> None:
    """Announce long work. Raises `Moved` in a thread that must not do it."""
    if _moves.get():
        raise Moved


@contextmanager
def moving(*, moves: bool) -> Iterator[None]:
    """Set whether long work within the block raises `Moved`."""
    before = _moves.set(moves)
    try:
        yield
    finally:
        _moves.reset(before)
