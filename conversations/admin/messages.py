"""Messages in the admin: who wrote one, when, and where; the text is in the transcript."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.staff_lists.dates import moment
from accounts.staff_lists.keyset import KeysetAdmin, Order
from conversations.admin.filters import RoleFilter
from conversations.admin.links import conversation_link, transcript_link
from conversations.models import Message


@admin.register(Message)
class MessageAdmin(KeysetAdmin):
    """Admin of messages, newest first, without their text."""

    order = Order("created_at")
    date_hierarchy = "created_at"
    columns = ("created_at", "role", "user__email", "conversation_id")
    lookups = ("conversation__id__exact", "user__id__exact")
    list_display = ("said", "role", "user", "conversation_link")
    list_select_related = ("user",)
    list_filter = (RoleFilter,)
    fields = readonly_fields = ("id", "in_transcript", "user", "parent_id", "role", "created_at")

    @admin.display
    def said(self, message: Message) -> str:
        """Time at which it was written."""
        return moment(message.created_at)

    @admin.display(description="conversation")
    def conversation_link(self, message: Message) -> SafeString:
        """Link to the conversation's transcript."""
        return conversation_link(message.conversation_id)

    @admin.display(description="what it says")
    def in_transcript(self, message: Message) -> SafeString:
        """Link to the message in the transcript."""
        return transcript_link(message)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """False: messages are removed with their conversation only."""
        return False
