"""Rows that are known to belong together, or to nobody."""

from django.db.models import Model


def relate(row: Model, name: str, other: Model | None) -> None:
    """Remember the one row that hangs from `row` by this name, or that there is none: reading it asks nobody.

    Only the first can be said by assigning it. The second is a None in `_state.fields_cache`, as of Django 6.1.
    """
    row._state.fields_cache[name] = other
