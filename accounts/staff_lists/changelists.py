"""The admin's list of rows without its counting, paging and ordering: the only module that builds on Django's.

Django documents that a list may be another class (`ModelAdmin.get_changelist`), and not what it consists of. What is
used here is as Django 6.1 has it; `tests/contracts/test_changelists.py` says in words what another version has changed.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest

PLACE = PAGE_VAR
"""The parameter of an address that Django takes for none of its filters' and passes on."""


class BareChangeList(ChangeList, ABC):
    """A list whose heirs say which rows it has, in which order, and which of them a page shows."""

    @abstractmethod
    def entered(self, request: HttpRequest, lookups: Mapping[str, Any]) -> QuerySet[Any]:
        """The rows that the address's lookups, its search and its place leave, before the filters. Raises
        `ValueError`, `ValidationError` or `IncorrectLookupParameters` for an address that makes no sense."""

    @abstractmethod
    def filtered(self, request: HttpRequest, rows: QuerySet[Any], filters: Iterable[Any]) -> QuerySet[Any]:
        """Those of the rows that pass the filters."""

    @abstractmethod
    def ordered(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows in the list's order, with what a page needs of them."""

    @abstractmethod
    def order(self) -> list[str]:
        """The names of the columns by which the list is ordered, as Django writes them."""

    @abstractmethod
    def page(self, rows: QuerySet[Any], size: int) -> list[Any]:
        """The first `size` of the rows, as the page shows them."""

    def address(self, new: Mapping[str, Any] | None = None, without: Iterable[str] = ()) -> str:
        """The list's query string, with `new` parameters and without those that begin with one of `without`."""
        return self.get_query_string(dict(new or {}), [*without])

    def place_address(self, place: str) -> str:
        """Address of the list's page that begins at this cursor."""
        return self.address({PLACE: place})

    def asked(self, name: str) -> Any:
        """The address's parameter of this name; None where it has none."""
        return self.params.get(name)

    @property
    def date_column(self) -> str:
        """The column by whose dates the list can be narrowed; empty where it cannot."""
        return str(self.date_hierarchy or "")

    def get_queryset(self, request: HttpRequest, exclude_parameters: list[str | None] | None = None) -> QuerySet[Any]:
        """All rows of the list."""
        try:
            self.filter_specs, self.has_filters, lookups, _, self.has_active_filters = self.get_filters(request)
            named: dict[str, Any] = lookups
            rows = self.entered(request, {name: values[-1] for name, values in named.items()})
        except (ValueError, ValidationError) as error:
            raise IncorrectLookupParameters(error) from error
        self.clear_all_filters_qs = self.address(without=self.get_filters_params())
        return self.ordered(self.apply_select_related(self.filtered(request, rows, self.filter_specs)))

    def get_results(self, request: HttpRequest) -> None:
        """Read the page. Nothing is counted."""
        self.result_list = self.page(self.queryset, self.list_per_page)
        self.result_count = len(self.result_list)
        # The same number, so that Django says nothing of "results": a page is not all of them.
        self.full_result_count = self.result_count
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = self.multi_page = False

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Combinable]:
        """The list's only order, whatever the request asks for."""
        return [*self.order()]
