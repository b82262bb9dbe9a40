"""Lists that open equally fast however many rows there are, and show how far they have searched.

A page is a range of an index that begins at a cursor (keyset paging); nothing is counted. A filter without an index
reads a bounded number of the next rows; a link continues from there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.options import IncorrectLookupParameters, ShowFacets
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property

from accounts.models import User
from accounts.staff_lists.changelists import PLACE, BareChangeList
from accounts.staff_lists.dates import DateLinks, date_links, date_places
from accounts.staff_lists.filters import BoundedFilter
from chatbot.core import sql
from chatbot.core.cursors import from_microseconds, microseconds

PEOPLE_MAX = 50
"""People whose e-mail addresses begin with the search term that a search considers."""
DATE_PARTS = ("__year", "__month", "__day")


@dataclass(frozen=True, slots=True)
class Order:
    """Order of a list, newest first: by an indexed time, then the key; or by the key alone, a UUIDv7."""

    time: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of which a cursor consists."""
        return (self.time, "pk") if self.time else ("pk",)

    def of(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows in this order."""
        return rows.order_by(*(f"-{column}" for column in self.columns))

    def after(self, rows: QuerySet[Any], place: str) -> QuerySet[Any]:
        """The rows after the cursor `place`. Raises `ValueError` or `ValidationError` for an invalid one."""
        if not self.time:
            return rows.filter(pk__lt=_key(rows, place))
        text, _, key = place.partition("-")
        time = from_microseconds(text)
        # Written as a range and an exclusion, so that the index scan starts at the cursor.
        return rows.filter(**{f"{self.time}__lte": time}).exclude(**{self.time: time, "pk__gte": _key(rows, key)})

    def down_to(self, rows: QuerySet[Any], last: Sequence[Any]) -> QuerySet[Any]:
        """The rows before the one with these columns, and that row itself."""
        if not self.time:
            return rows.filter(pk__gte=last[0])
        return rows.filter(**{f"{self.time}__gte": last[0]}).exclude(**{self.time: last[0], "pk__lt": last[1]})

    def place(self, columns: Sequence[Any]) -> str:
        """The cursor of a row with these columns, as used in addresses."""
        return f"{microseconds(columns[0])}-{columns[1]}" if self.time else str(columns[0])


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a list stopped searching."""

    place: str
    time: datetime
    looks: int
    """Number of rows that it has read."""


class KeysetChangeList(BareChangeList):
    """One page of a list with keyset paging."""

    model_admin: "KeysetAdmin"
    place = ""
    """Cursor at which the page begins; empty for the first page."""
    edge: Edge | None = None
    """Where the page ends, if it has read as many rows as it may."""

    def entered(self, request: HttpRequest, lookups: Mapping[str, Any]) -> QuerySet[Any]:
        """The rows from the asked place on, before the filters. Raises what an address without sense brings."""
        admin, self.place = self.model_admin, request.GET.get(PLACE, "")
        if any(name.endswith(DATE_PARTS) for name in lookups):
            raise IncorrectLookupParameters("A month without its year has no index.")
        rows, _ = admin.get_search_results(request, self.root_queryset.filter(**lookups), self.query)
        return admin.order.after(rows, self.place) if self.place else rows

    def filtered(self, request: HttpRequest, rows: QuerySet[Any], filters: Iterable[Any]) -> QuerySet[Any]:
        """Those that the filters let pass, down to where the list stops looking."""
        bounded = [spec for spec in filters if isinstance(spec, BoundedFilter) and spec.value()]
        if looks := [spec.looks for spec in bounded if spec.looks]:
            rows = self._bounded(rows, min(looks))
        for spec in filters:
            found = spec.queryset(request, rows)
            rows = rows if found is None else found
        return rows

    def ordered(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Newest first, and no column that holds what was said."""
        return self.model_admin.order.of(rows.only(*self.model_admin.columns))

    def order(self) -> list[str]:
        """Always the same: any other has no index, and would tell of columns that are not shown."""
        return [f"-{column}" for column in self.model_admin.order.columns]

    def page(self, rows: QuerySet[Any], size: int) -> list[Any]:
        """The rows of the page; whether anything follows them, `older` says."""
        found = list(rows[: size + 1])
        shown = self.model_admin.prepared(found[:size])
        if len(found) > size:
            self.edge = None
            last = shown[-1]
            place = self.model_admin.order.place([getattr(last, name) for name in self.model_admin.order.columns])
            self.older = self.place_address(place)
        else:
            self.older = self.place_address(self.edge.place) if self.edge else ""
        return shown

    @property
    def newest(self) -> str:
        """Address of the first page; empty on it."""
        return self.address() if self.place else ""

    @cached_property
    def estimate(self) -> int:
        """Approximate number of rows, from the database's statistics; 0 for few. Causes a query."""
        rows: float = sql.value("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [self.opts.db_table])
        return round(int(max(0, rows)), -2 if rows < 10_000 else -3)

    def dates(self) -> DateLinks | None:
        """Links to years, months or days of the list. Causes a query of an index's two ends."""
        order = self.model_admin.order
        if order.time:
            return date_links(self, self.root_queryset)
        newest = order.of(self.root_queryset)
        ends = [self._time_of(row.pk) for row in (*newest.reverse().only("pk")[:1], *newest.only("pk")[:1])]
        return date_places(self, (ends[0], ends[1]), self.place) if ends else None

    def _bounded(self, rows: QuerySet[Any], looks: int) -> QuerySet[Any]:
        """The first `looks` of the rows. Causes a query of the index of their order."""
        order = self.model_admin.order
        last = list(order.of(rows).values_list(*order.columns)[looks - 1 : looks])
        if not last:
            return rows
        self.edge = Edge(order.place(last[0]), self._time_of(last[0][-1]), looks)
        return order.down_to(rows, last[0])

    def _time_of(self, key: Any) -> datetime:
        # A query of its own: a joined table with the time would be searched along the whole list.
        found = self.root_queryset.filter(pk=key).values_list(self.model_admin.time, flat=True)
        # The row may have been deleted meanwhile.
        return next(iter(found), timezone.now())


class SelectedActionForm(ActionForm):
    """Acts on the selected rows only, never on "all" of a list that nobody has seen to its end."""

    def clean_select_across(self) -> bool:
        """False: "all" rows of the list cannot be selected."""
        return False


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # not subscriptable at run time
    """Shows rows that no member of staff can change."""

    view_on_site = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """False: staff cannot add rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """False: staff cannot change rows."""
        return False


class KeysetAdmin(ReadOnlyAdmin):
    """A list of rows, newest first, searched by person and by filters."""

    order = Order()
    key = "pk"
    """The column in which a key is searched."""
    time = "created_at"
    """The column with a row's time."""
    person = "user"
    """The lookup that leads to the person."""
    columns: tuple[str, ...]
    """Names of the columns that are read; none of them holds text of messages."""
    lookups: tuple[str, ...] = ()
    """Further lookups that an address may use; each has an index."""

    list_per_page = 50
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    sortable_by = ()
    action_form = SelectedActionForm
    change_list_template = "admin/keyset_list.html"
    # Django shows a search box only with a value here; `get_search_results` determines what is searched.
    search_fields = ("pk",)
    search_help_text = "The start of an e-mail address, or a key."

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        """The class of lists in this module."""
        return KeysetChangeList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only named lookups: others would be slow, or let staff guess texts that they may not read."""
        filters = [spec.parameter_name for spec in self.list_filter if isinstance(spec, type)]  # type: ignore[attr-defined] # all are of ours
        dates = [f"{self.date_hierarchy}__{part}" for part in ("year", "month", "day")] if self.date_hierarchy else []
        return lookup in (*self.lookups, *filters, *dates)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Rows of the people whose e-mail address begins with the term, or the row with this key; never by text."""
        if not (term := search_term.replace("\0", "").strip()):
            return queryset, False
        if key := _uuid(term):
            return queryset.filter(**{self.key: key}), False
        people = list(User.objects.filter(email__startswith=term.lower()).values_list("pk", flat=True)[:PEOPLE_MAX])
        return queryset.filter(**{f"{self.person}__in": people}), False

    def prepared(self, rows: list[Any]) -> list[Any]:
        """The rows of a page with what its columns need, in a fixed number of queries."""
        return rows


def _key(rows: QuerySet[Any], text: str) -> Any:
    key: Model = rows.model._meta.pk.to_python(text)
    return key


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
