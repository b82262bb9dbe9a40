"""Permission to read messages, and the audit log of who did."""

from collections.abc import Iterable
from uuid import UUID

from django.http import HttpRequest

from accounts import readings
from accounts.readings import READING, staff
from conversations.models import Conversation


def may_read(request: HttpRequest) -> bool:
    """Whether this member of staff may read messages, not only see that they exist."""
    return staff(request).has_perms(("conversations.view_conversation", "conversations.read_message"))


def record(request: HttpRequest, conversations: Iterable[UUID], what: str, *, flag: int = READING) -> None:
    """Record an action on conversations before it is done, as an entry in the history of each.

    The entry holds no text of messages. Causes two queries.
    """
    readings.record(request, Conversation, (Conversation(pk=key) for key in conversations), what, flag=flag)
