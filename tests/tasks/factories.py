"""Tasks for tests, made by the verb that people use."""

from typing import Any

from accounts.models import User
from tasks import actions
from tasks.models import Task


def add(user: User, *titles: str, **fields: Any) -> list[Task]:
    """Tasks with these titles, the first one on top of the list."""
    return [actions.add(user, title=title, **fields) for title in reversed(titles)][::-1]


def titles(user: User) -> list[str]:
    """The titles of the person's tasks, in their order."""
    return list(Task.objects.owned_by(user).in_order().values_list("title", flat=True))
