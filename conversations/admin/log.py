"""The audit log of the admin: who read or changed what, for other staff to see."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.readings import READING
from accounts.staff_lists.dates import moment
from accounts.staff_lists.filters import BoundedFilter, ColumnFilter
from accounts.staff_lists.keyset import KeysetAdmin, Order
from conversations.models import Conversation

KINDS = {READING: "Reading", ADDITION: "Addition", CHANGE: "Change", DELETION: "Deletion"}


class KindFilter(ColumnFilter):
    """Filters entries by the kind of action."""

    title, parameter_name = "kind", "action_flag"
    fixed: ClassVar = tuple((str(flag), name) for flag, name in KINDS.items())


@admin.register(LogEntry)
class LogAdmin(KeysetAdmin):
    """Admin of the audit log, newest first, without changes."""

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
        """Time at which the entry was written."""
        return moment(entry.action_time)

    @admin.display
    def kind(self, entry: LogEntry) -> str:
        """The kind of action, in words."""
        return KINDS.get(entry.action_flag, "")

    @admin.display
    def thing(self, entry: LogEntry) -> SafeString:
        """Link to what was acted on, without its name, which may contain text of messages."""
        name = entry.content_type.name if entry.content_type else "something"
        url = entry.get_admin_url() if entry.action_flag != DELETION else None
        return format_html('<a href="{}">{}</a>', url, name) if url else format_html("{}", name)

    @admin.display(description="whose")
    def owner(self, entry: LogEntry) -> str:
        """Owner of the conversation concerned, as long as the conversation exists."""
        return str(vars(entry).get("owner") or "-")

    @admin.display
    def what(self, entry: LogEntry) -> str:
        """Description of the action, in words."""
        return str(entry.get_change_message())

    def prepared(self, rows: list[Any]) -> list[Any]:
        """The entries, each with the owner of the conversation concerned. Causes a query."""
        about = [row for row in rows if row.content_type and row.content_type.model == "conversation" and row.object_id]
        keys = {row.object_id for row in about}
        owners = dict(Conversation.objects.filter(pk__in=keys).values_list("pk", "user__email")) if keys else {}
        by_text = {str(key): email for key, email in owners.items()}
        for row in about:
            row.owner = by_text.get(row.object_id)
        return rows

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """False: entries are removed with the member of staff only."""
        return False
