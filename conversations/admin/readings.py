"""Who may read what was said, and the admin's log of who did."""

from collections.abc import Iterable
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest

from accounts.models import User
from conversations.models import Conversation

READING = 4
"""The flag of a log entry that tells of somebody who read; Django's own are 1 to 3, for what was changed."""


def staff(request: HttpRequest) -> User:
    """Who asks. Raises `TypeError` for somebody who is not signed in, whom the admin lets nowhere."""
    if not isinstance(request.user, User):
        raise TypeError("The admin's pages are for people who signed in.")
    return request.user


def may_read(request: HttpRequest) -> bool:
    """Whether this member of staff may read what was said, not only see that something was."""
    return staff(request).has_perms(("conversations.view_conversation", "conversations.read_message"))


def record(request: HttpRequest, conversations: Iterable[UUID], what: str, *, flag: int = READING) -> None:
    """Write down what somebody does with conversations, before it is done: an entry in the history of each.

    It holds nothing of what was said. Causes two queries.
    """
    person = staff(request)
    # Not the key that this process remembers: what is to be shown must not depend on a memory being fresh.
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
