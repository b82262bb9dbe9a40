"""Filters of the admin's lists that bound the rows that they read."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

Choices = Iterable[tuple[str, str]]


class BoundedFilter(admin.SimpleListFilter, ABC):
    """A filter with one choice of several, which bounds the rows that it reads."""

    looks: ClassVar[int | None] = 20_000
    """Most rows that a page reads when no index finds the matching ones; None where an index does."""

    fixed: ClassVar[Choices] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Choices as pairs of value and label."""
        return self.fixed

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        """The rows that match; None without a choice, no rows for an invalid one."""
        if not (chosen := self.value()):
            return None
        return self.passed(queryset, chosen) if chosen in dict(self.lookup_choices) else queryset.none()

    @abstractmethod
    def passed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """The rows that match the chosen value."""


class ColumnFilter(BoundedFilter):
    """Filters by a column of the list's own rows."""

    def passed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Rows whose column has the chosen value."""
        return rows.filter(**{str(self.parameter_name): chosen})
