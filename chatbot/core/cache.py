"""The cache in the database, by which attempts are counted over all processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache
from django.db import DatabaseError, IntegrityError, connections, router


class CountingCache(DatabaseCache):
    """Django's cache in the database, which raises `DatabaseError` when it cannot store.

    Its own answer to a failing write is the one to an entry that exists: whoever counts attempts takes a full disk for
    too many of them.
    """

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Store an entry unless it exists; whether it was stored."""
        with self._telling():
            return super().add(key, value, timeout, version)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        """Store an entry."""
        with self._telling():
            super().set(key, value, timeout, version)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Have an entry end at another time; whether it exists."""
        with self._telling():
            return super().touch(key, timeout, version)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Raise the error of a write that was swallowed; two at the same time are none."""
        failures: list[DatabaseError] = []

        def watched(execute: Callable[..., Any], *statement: Any) -> Any:
            try:
                return execute(*statement)
            except IntegrityError:
                raise
            except DatabaseError as error:
                failures.append(error)
                raise

        with connections[router.db_for_write(self.cache_model_class)].execute_wrapper(watched):
            yield
        if failures:
            raise failures[0]
