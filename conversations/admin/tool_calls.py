"""Tool calls in the admin: what the assistant did for whom; what it was asked and what came of it, for who may read."""

import json
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import readings
from accounts.staff_lists.dates import moment
from accounts.staff_lists.keyset import KeysetAdmin, Order
from conversations.admin.filters import CallStateFilter, OriginFilter, ToolFilter, is_tool_name
from conversations.admin.generations import seconds
from conversations.admin.links import conversation_link, transcript_link
from conversations.admin.readings import may_read, record
from conversations.models import ToolCall
from tools import text as texts

READ = "Read a tool call."
SHOWN_MAX_CHARS = 50_000
"""Characters of arguments and of a result that a page shows."""


@admin.register(ToolCall)
class ToolCallAdmin(KeysetAdmin):
    """Admin of tool calls, newest first."""

    order = Order("created_at")
    date_hierarchy = "created_at"
    columns = (
        *("tool", "state", "origin", "decision", "created_at", "started_at", "finished_at"),
        *("user__email", "message__conversation_id"),
    )
    lookups = ("user__id__exact", "message__conversation__id__exact")
    list_display = ("named_at", "user", "tool_name", "state", "decision", "duration", "conversation_link")
    list_select_related = ("user", "message")
    list_filter = (ToolFilter, CallStateFilter, OriginFilter)
    facts = (
        *("in_transcript", "user", "tool_name", "state", "decision", "decided_at", "origin", "round", "position"),
        *("created_at", "started_at", "finished_at", "duration", "worker"),
    )
    said = ("named", "asked", "returned", "error")
    """Fields that show what was said."""
    fields = readonly_fields = (*facts, *said)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The facts and, for those who may read messages, what was said."""
        return (*self.facts, *self.said) if may_read(request) else self.facts

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The call's page; a reading is recorded before it is shown."""
        call: ToolCall | None = self.get_object(request, unquote(object_id))
        if call and self.has_view_permission(request, call) and may_read(request):
            if call.message:
                record(request, [call.message.conversation_id], READ)
            else:
                readings.record(request, ToolCall, [call], READ)
        return super().change_view(request, object_id, form_url, extra_context)

    @admin.display(description="named")
    def named_at(self, call: ToolCall) -> str:
        """Time at which the model named it."""
        return moment(call.created_at)

    @admin.display(description="tool")
    def tool_name(self, call: ToolCall) -> str:
        """The tool's name; not one that only the model knows."""
        return call.tool if is_tool_name(call.tool) else "(no tool's name)"

    @admin.display
    def duration(self, call: ToolCall) -> str:
        """Seconds from its start to its end."""
        return seconds(call.started_at, call.finished_at)

    @admin.display(description="conversation")
    def conversation_link(self, call: ToolCall) -> SafeString | str:
        """Link to the transcript of its conversation, if it has one."""
        return conversation_link(call.message.conversation_id) if call.message else "-"

    @admin.display(description="its reply")
    def in_transcript(self, call: ToolCall) -> SafeString | str:
        """Link to its reply in the transcript, if it has one."""
        return transcript_link(call.message) if call.message else "-"

    @admin.display(description="name")
    def named(self, call: ToolCall) -> str:
        """The tool as the model named it."""
        return call.tool or "-"

    @admin.display(description="arguments")
    def asked(self, call: ToolCall) -> SafeString:
        """The arguments as the model wrote them, up to a bound."""
        return _shown(call.arguments)

    @admin.display(description="result")
    def returned(self, call: ToolCall) -> SafeString:
        """What the model read of the result, up to a bound."""
        result = call.result
        text = result.get("text") if isinstance(result, dict) else result
        return _shown(text if isinstance(text, str) else json.dumps(text, ensure_ascii=False) if text else "")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """False: calls are removed with their message or person only."""
        return False


def _shown(text: str) -> SafeString:
    return format_html('<pre class="said" dir="auto">{}</pre>', texts.shortened(text, SHOWN_MAX_CHARS) or "-")
