"""Work that is too long for the threads that serve everybody's requests: one thread of its own does it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpResponse

_moves: ContextVar[bool] = ContextVar("moves", default=False)


class Moved(Exception):
    """The request is to be answered by the thread for long work, from its beginning."""


class MovedResponse(HttpResponse):
    """Stands for the response that the thread for long work will make."""


def begin() -> None:
    """Say that long work follows. Raises `Moved` where another thread is to do it."""
    if _moves.get():
        raise Moved


@contextmanager
def moving(*, moves: bool) -> Iterator[None]:
    """Whether long work within the block is moved."""
    before = _moves.set(moves)
    try:
        yield
    finally:
        _moves.reset(before)
