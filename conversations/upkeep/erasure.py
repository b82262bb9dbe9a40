"""Permanent erasure of a person from the database: which rows refer to the person, and how they are removed.

Both are derived from the models, so that tables added later are covered.
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
"""Table, without a model, that counts attempts under keys with the person's key in them."""
COUNTED = f"FROM {COUNTERS} WHERE strpos(cache_key, %s) > 0"
"""Those of the person with this key."""
STEPS_MAX = 4
"""Most foreign keys between a row that belongs to a person and the person."""


class NotErased(Exception):
    """Rows of the person are left, and the last step was rolled back. The text names them."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Record of an erasure: whom, when, and what was removed."""

    email: str
    key: str
    erased_at: str
    removed: dict[str, int]
    """Rows by model, including admin log entries and sessions."""
    looked_at: list[str]
    """Models that were searched for rows of the person."""


def belongings(user: User) -> Iterator[tuple[type[Model], QuerySet[Any]]]:
    """Each model that can refer to a person, with the rows that refer to this one."""
    for model in apps.get_models(include_auto_created=True):
        if condition := _points_at(model, user):
            yield model, model._base_manager.filter(condition)


def traces(user: User) -> dict[str, int]:
    """Rows by model that refer to the person, name them in the admin's log, or sign them in.

    Causes a query per model.
    """
    counts = {model._meta.label: rows.count() for model, rows in belongings(user)}
    counts[LogEntry._meta.label] = counts.get(LogEntry._meta.label, 0) + len(log_entries(user))
    counts[Session._meta.label] = len(sessions(user))
    counts[COUNTERS] = int(sql.value(f"SELECT count(*) {COUNTED}", [str(user.pk)]))
    return counts


def log_entries(user: User) -> set[int]:
    """Keys of the admin's log entries about the person and what belongs to them, by whichever author."""
    return {key for rows in _log_texts(user) for key in rows.values_list("pk", flat=True)}


def sessions(user: User) -> list[str]:
    """Keys of the person's sessions. Reads all sessions, because their data is encoded."""
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore()
    with transaction.atomic():
        rows = Session.objects.values_list("session_key", "session_data").iterator()
        return [key for key, data in rows if store.decode(data).get(SESSION_KEY) == str(user.pk)]


def erase(user: User, *, found: dict[str, int] | None = None) -> Receipt:
    """Remove the person and everything that belongs to them permanently, in several transactions. Raises `NotErased`.

    Repeat the call after an interruption: the account is removed last. The receipt reports `found` as removed, the
    counts before a first, interrupted call; by default what there is now.
    """
    removed = traces(user) if found is None else found
    # An inactive person cannot add anything.
    User.objects.filter(pk=user.pk).update(is_active=False)
    Session.objects.filter(pk__in=sessions(user)).delete()
    # Log texts first: they are found by keys of rows that are removed afterwards.
    for rows in _log_texts(user):
        rows.update(object_id="", object_repr=ERASED, change_message="")
    sql.run(f"DELETE {COUNTED}", [str(user.pk)])
    _remove_conversations(user)
    with transaction.atomic():
        # These locks wait for turns being stored and prevent new ones; they are taken in the order in which a turn
        # does.
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
    """The condition for rows that refer to the person, directly or through others; None without such a path."""
    if model is User:
        return Q(pk=user.pk)
    if model._meta.proxy or not model._meta.managed:
        return None
    direct, indirect = _ways(model)
    conditions = [Q(**{way: user.pk}) for way in direct or indirect]
    return reduce(or_, conditions) if conditions else None


def _ways(model: type[Model], steps: int = STEPS_MAX) -> tuple[list[str], list[str]]:
    """Lookups that lead from the model to a person: through its own columns, and through those of other models."""
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
    """Entries of the admin's log that are about something of the person, or name the e-mail address."""
    for model, rows in belongings(user):
        if model is LogEntry:
            continue
        keys = rows.annotate(key_as_text=Cast("pk", TextField())).values("key_as_text")
        about = LogEntry.objects.filter(content_type__in=ContentType.objects.filter(
            app_label=model._meta.app_label, model=model._meta.model_name
        ))  # fmt: skip
        yield about.filter(object_id__in=keys)
    # Match the whole address: another person's may contain it.
    named = rf"(^|[^\w.+-]){re.escape(user.email)}($|[^\w.-]|\.($|\s))"
    yield LogEntry.objects.filter(Q(object_repr__iregex=named) | Q(change_message__iregex=named))
