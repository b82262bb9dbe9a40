"""Permission to read messages, and the audit log of who did."""

from collections.abc import Iterable
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest

from accounts.models import User
from conversations.models import Conversation

READING = 4
"""Flag of a log entry for reading; Django's own flags, 1 to 3, are for changes."""


def staff(request: HttpRequest) -> User:
    """The signed-in member of staff. Raises `TypeError` for an anonymous user, whom the admin never lets in."""
    if not isinstance(request.user, User):
        raise TypeError("The admin's pages are for people who signed in.")
    return request.user


def may_read(request: HttpRequest) -> bool:
    """Whether this member of staff may read messages, not only see that they exist."""
    return staff(request).has_perms(("conversations.view_conversation", "conversations.read_message"))


def record(request: HttpRequest, conversations: Iterable[UUID], what: str, *, flag: int = READING) -> None:
    """Record an action on conversations before it is done, as an entry in the history of each.

    The entry holds no text of messages. Causes two queries.
    """
    person = staff(request)
    # Not the cached key: what may be shown must not depend on a cache being up to date.
    kind = ContentType.objects.filter(app_label="conversations", model="conversation").get()
    LogEntry.objects.bulk_create(
        LogEntry(
            user=person,
            content_type=kind,
            object_id=str(key),
            object_repr=str(Conversation(pk=key)),
            action_flag=flag,
            change_message=what,
        )
        for key in conversations
    )
