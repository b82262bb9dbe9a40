"""Who read or changed what in the admin, for other staff to see."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from conversations.admin.filters import BoundedFilter, ColumnFilter
from conversations.admin.links import moment
from conversations.admin.lists import KeysetAdmin, Order
from conversations.admin.readings import READING
from conversations.models import Conversation

KINDS = {READING: "Reading", ADDITION: "Addition", CHANGE: "Change", DELETION: "Deletion"}


class KindFilter(ColumnFilter):
    """What somebody did."""

    title, parameter_name = "kind", "action_flag"
    fixed: ClassVar = tuple((str(flag), name) for flag, name in KINDS.items())


@admin.register(LogEntry)
class LogAdmin(KeysetAdmin):
    """The admin's log, newest first; nobody changes it."""

    order = Order("action_time")
    time = "action_time"
    date_hierarchy = "action_time"
    columns = ("action_time", "action_flag", "change_message", "object_id", "content_type", "user__email")
    list_display = ("when", "user", "kind", "thing", "owner", "what")
    list_display_links = None
    list_select_related = ("user", "content_type")
    list_filter: ClassVar[tuple[type[BoundedFilter], ...]] = (KindFilter,)
    lookups = ("user__id__exact",)
    key = "object_id"
    search_help_text = "The start of the e-mail address of a member of staff, or a conversation's key."
    fields = readonly_fields = ("action_time", "user", "kind", "thing", "what")

    @admin.display
    def when(self, entry: LogEntry) -> str:
        """The moment."""
        return moment(entry.action_time)

    @admin.display
    def kind(self, entry: LogEntry) -> str:
        """What somebody did."""
        return KINDS.get(entry.action_flag, "")

    @admin.display
    def thing(self, entry: LogEntry) -> SafeString:
        """What it was done to; without its name, which may hold what was said."""
        name = entry.content_type.name if entry.content_type else "something"
        url = entry.get_admin_url() if entry.action_flag != DELETION else None
        return format_html('<a href="{}">{}</a>', url, name) if url else format_html("{}", name)

    @admin.display(description="whose")
    def owner(self, entry: LogEntry) -> str:
        """The person whose conversation it is, as long as it is there."""
        return str(vars(entry).get("owner") or "-")

    @admin.display
    def what(self, entry: LogEntry) -> str:
        """What was done, in words."""
        return str(entry.get_change_message())

    def prepared(self, rows: list[Any]) -> list[Any]:
        """Each entry with the owner of the conversation that it is about. Causes a query."""
        about = [row for row in rows if row.content_type and row.content_type.model == "conversation" and row.object_id]
        keys = {row.object_id for row in about}
        owners = dict(Conversation.objects.filter(pk__in=keys).values_list("pk", "user__email")) if keys else {}
        by_text = {str(key): email for key, email in owners.items()}
        for row in about:
            row.owner = by_text.get(row.object_id)
        return rows

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes; entries go with the member of staff."""
        return False
