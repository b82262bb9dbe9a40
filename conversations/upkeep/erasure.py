"""A person taken out of the database for good: where rows can point at somebody, and how they go.

Both are found from the models, so that a table which is added later is covered.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from importlib import import_module
from operator import or_
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import ForeignKey, Model, Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from accounts.models import User
from chatbot.core import sql
from conversations.models import TurnWindow
from conversations.upkeep import retention
from conversations.upkeep.retention import Rules

ERASED = "(erased)"
COUNTERS = "accounts_cache"
"""The table, no model's, in which attempts are counted by the person's key."""
COUNTED = f"FROM {COUNTERS} WHERE strpos(cache_key, %s) > 0"
"""Those of the person with this key."""
STEPS_MAX = 4
"""Tables from one that belongs to a person to the person."""


class NotErased(Exception):
    """Something of the person is left; nothing was committed of the last step. The text says where."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was removed."""

    email: str
    key: str
    erased_at: str
    removed: dict[str, int]
    """Rows by model; of admin log entries and sessions too."""
    looked_at: list[str]
    """Models in which nothing of the person is left."""


def belongings(user: User) -> Iterator[tuple[type[Model], QuerySet[Any]]]:
    """Each model that can point at a person, with the rows that point at this one."""
    for model in apps.get_models(include_auto_created=True):
        if condition := _points_at(model, user):
            yield model, model._base_manager.filter(condition)


def traces(user: User) -> dict[str, int]:
    """How many rows of each model point at the person, or name them in the admin's log, or sign them in."""
    counts = {model._meta.label: rows.count() for model, rows in belongings(user)}
    counts[LogEntry._meta.label] = counts.get(LogEntry._meta.label, 0) + len(log_entries(user))
    counts[Session._meta.label] = len(sessions(user))
    counts[COUNTERS] = int(sql.value(f"SELECT count(*) {COUNTED}", [str(user.pk)]))
    return counts


def log_entries(user: User) -> set[int]:
    """The keys of the admin's log entries about the person and what is theirs, whoever made them."""
    return {key for rows in _log_texts(user) for key in rows.values_list("pk", flat=True)}


def sessions(user: User) -> list[str]:
    """The keys of the person's sessions. Reads all sessions: what is in one is encoded."""
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore()
    with transaction.atomic():
        rows = Session.objects.values_list("session_key", "session_data").iterator()
        return [key for key, data in rows if store.decode(data).get(SESSION_KEY) == str(user.pk)]


def erase(user: User, *, found: dict[str, int] | None = None) -> Receipt:
    """Remove the person and all that is theirs, for ever, in several transactions. Raises `NotErased`.

    What is interrupted is made good by doing it again: the account goes last. The receipt tells `found` as removed:
    what there was when somebody first began; by default what there is.
    """
    removed = traces(user) if found is None else found
    # From here on the person cannot add anything.
    User.objects.filter(pk=user.pk).update(is_active=False)
    Session.objects.filter(pk__in=sessions(user)).delete()
    # Texts first: they are found by the keys of what goes after.
    for rows in _log_texts(user):
        rows.update(object_id="", object_repr=ERASED, change_message="")
    sql.run(f"DELETE {COUNTED}", [str(user.pk)])
    _remove_conversations(user)
    with transaction.atomic():
        # Whoever was storing a turn has ended; nobody begins another one. In the order in which a turn locks them.
        list(TurnWindow.objects.select_for_update().filter(user=user))
        User.objects.select_for_update().get(pk=user.pk)
        _remove_conversations(user)
        looked_at = traces(user)
        User.objects.get(pk=user.pk).delete()
        if left := {label: count for label, count in traces(user).items() if count}:
            raise NotErased(", ".join(f"{count} of {label}" for label, count in left.items()))
    kept = {label: count for label, count in removed.items() if count}
    return Receipt(user.email, str(user.pk), timezone.now().isoformat(), kept, sorted(looked_at))


def _remove_conversations(user: User) -> None:
    rules = Rules(before=timezone.now() + timedelta(days=1), user=user, pinned=True, running=True)
    for batch in retention.batches(rules):
        for _ in retention.remove(batch, rules):
            pass


def _points_at(model: type[Model], user: User) -> Q | None:
    """The condition of the rows that point at the person, directly or by way of others; None where none can."""
    if model is User:
        return Q(pk=user.pk)
    if model._meta.proxy or not model._meta.managed:
        return None
    direct, indirect = _ways(model)
    conditions = [Q(**{way: user.pk}) for way in direct or indirect]
    return reduce(or_, conditions) if conditions else None


def _ways(model: type[Model], steps: int = STEPS_MAX) -> tuple[list[str], list[str]]:
    """The lookups that lead from the model to a person: by a column of its own, and by those of others."""
    direct, indirect = list[str](), list[str]()
    for column in model._meta.concrete_fields:
        if not isinstance(column, ForeignKey) or column.related_model == model:
            continue
        if column.related_model is User:
            direct.append(column.name)
        elif steps and isinstance(column.related_model, type):
            own, others = _ways(column.related_model, steps - 1)
            indirect += [f"{column.name}__{way}" for way in (own or others)[:1]]
    return direct, indirect


def _log_texts(user: User) -> Iterator[QuerySet[LogEntry]]:
    """The entries of the admin's log that are about something of the person, or name the e-mail address."""
    for model, rows in belongings(user):
        if model is LogEntry:
            continue
        keys = rows.annotate(key_as_text=Cast("pk", TextField())).values("key_as_text")
        about = LogEntry.objects.filter(content_type__in=ContentType.objects.filter(
            app_label=model._meta.app_label, model=model._meta.model_name
        ))  # fmt: skip
        yield about.filter(object_id__in=keys)
    # The whole address: another's may contain it.
    named = rf"(^|[^\w.+-]){re.escape(user.email)}($|[^\w.-]|\.($|\s))"
    yield LogEntry.objects.filter(Q(object_repr__iregex=named) | Q(change_message__iregex=named))
