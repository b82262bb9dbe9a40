"""Links that several lists of the admin show."""

from uuid import UUID

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from conversations.models import Message


def transcript_url(conversation: UUID, message: UUID | None = None) -> str:
    """Address of a conversation's admin page, at a message if one is named."""
    url = reverse("admin:conversations_conversation_change", args=(conversation,))
    return f"{url}?at={message}#m-{message}" if message else url


def conversation_link(conversation: UUID) -> SafeString:
    """HTML link to a conversation's admin page."""
    return format_html('<a href="{}">Open</a>', transcript_url(conversation))


def transcript_link(message: Message) -> SafeString:
    """HTML link to a message at its place in the transcript."""
    return format_html('<a href="{}">In the transcript</a>', transcript_url(message.conversation_id, message.pk))
