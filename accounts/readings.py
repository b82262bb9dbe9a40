"""The audit log of what staff read and change, for all apps: who did what, as an entry in the history of each row."""

from collections.abc import Iterable

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest

from accounts.models import User

READING = 4
"""Flag of a log entry for reading; Django's own flags, 1 to 3, are for changes."""


def staff(request: HttpRequest) -> User:
    """The signed-in member of staff. Raises `TypeError` for an anonymous user, whom the admin never lets in."""
    if not isinstance(request.user, User):
        raise TypeError("The admin's pages are for people who signed in.")
    return request.user


def record(request: HttpRequest, model: type[Model], rows: Iterable[Model], what: str, *, flag: int = READING) -> None:
    """Record an action on rows of the model before it is done, as an entry in the history of each.

    An entry names its row as `str` does, which must hold nothing that was said. Causes two queries.
    """
    person = staff(request)
    # Not the cached key: what may be shown must not depend on a cache being up to date.
    kind = ContentType.objects.filter(app_label=model._meta.app_label, model=model._meta.model_name).get()
    LogEntry.objects.bulk_create(
        LogEntry(
            user=person,
            content_type=kind,
            object_id=str(row.pk),
            object_repr=str(row),
            action_flag=flag,
            change_message=what,
        )
        for row in rows
    )
