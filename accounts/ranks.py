"""Which accounts and related rows a member of staff may change: those of other staff only as a superuser.

Rows that refer to a person give access to the account: an address gets the mail that resets a password, a session is
signed in.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.db.models import Model, Q, QuerySet

from accounts.models import User


def may_touch(toucher: Any, thing: Model | None) -> bool:
    """Whether this member of staff may change the account, or a row related to one. May cause queries."""
    return thing is None or toucher.is_superuser or not any(_is_staff(person) for person in people_of(thing))


def people_of(thing: Model) -> Iterator[User]:
    """The people to whom the row refers, directly or through others, as it is in memory. May cause queries."""
    for path in paths(type(thing)):
        found: Any = thing
        for step in path:
            found = getattr(found, step, None)
        if isinstance(found, User):
            yield found


def touchable[M: Model](rows: QuerySet[M], toucher: Any) -> QuerySet[M]:
    """The rows that the member of staff may change."""
    return rows if toucher.is_superuser else rows.exclude(pk__in=untouchable(rows, toucher).values("pk"))


def untouchable[M: Model](rows: QuerySet[M], toucher: Any) -> QuerySet[M]:
    """The rows that the member of staff may not change."""
    ways = paths(rows.model)
    if toucher.is_superuser or not ways:
        return rows.none()
    forbidden = Q()
    for path in ways:
        forbidden |= Q(**{"__".join((*path, "is_staff")): True}) | Q(**{"__".join((*path, "is_superuser")): True})
    return rows.model._base_manager.filter(forbidden, pk__in=rows.values("pk"))


@cache
def paths(model: type[Model], above: tuple[type[Model], ...] = ()) -> tuple[tuple[str, ...], ...]:
    """Chains of foreign keys that lead from the model to a person; an empty one for a person itself."""
    if issubclass(model, User):
        return ((),)
    if model in above:
        return ()
    keys = [field for field in model._meta.get_fields() if field.many_to_one or (field.one_to_one and field.concrete)]
    near = [(field.name,) for field in keys if _leads_to(field) is not None and issubclass(_leads_to(field), User)]
    if near:
        return tuple(near)
    return tuple(
        (field.name, *rest)
        for field in keys
        if (target := _leads_to(field)) is not None
        for rest in paths(target, (*above, model))
    )


def _leads_to(field: Any) -> Any:
    target = field.related_model
    return target if isinstance(target, type) and issubclass(target, Model) else None


def _is_staff(person: User) -> bool:
    return person.is_staff or person.is_superuser
