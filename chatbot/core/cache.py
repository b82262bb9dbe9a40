"""The cache in the database, which counts attempts over all processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache
from django.db import DatabaseError, IntegrityError, connections, router


class CountingCache(DatabaseCache):
    """Django's cache in the database, which raises `DatabaseError` when it cannot store.

    Django reports a failed write like an existing entry: code that counts attempts would read a full disk as too many
    of them.
    """

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Store an entry unless it exists; returns whether it was stored."""
        with self._telling():
            return super().add(key, value, timeout, version)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        """Store an entry. Raises `DatabaseError`."""
        with self._telling():
            super().set(key, value, timeout, version)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Change when an entry expires; returns whether it exists."""
        with self._telling():
            return super().touch(key, timeout, version)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Raise the error of a write that Django has swallowed; conflicts of two writers are no errors."""
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
