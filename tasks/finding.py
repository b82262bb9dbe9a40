"""Finds a person's task by what they call it: "the milk one" is "Buy milk"."""

from collections.abc import Callable

from accounts.models import User
from tasks.models import Task
from tasks.texts import folded, words

FILLERS = frozenset(
    words(
        "a an the my our your this that these those one ones task tasks item items entry entries todo to do thing"
        " about with called named"
    )
)
"""Words by which people point at a task without describing it."""


def find(user: User, called: str) -> list[Task]:
    """The person's tasks, open ones first and in their order, that fit these words best.

    Those with exactly this title; else with this title in other letters (case, diacritics); else those whose title has
    all the words that describe it, as words or at least within others. Several can fit, and none. Causes a query.
    """
    tasks = sorted(Task.objects.owned_by(user).in_order(), key=lambda task: task.is_done)
    wanted = folded(called)
    described = [word for word in words(wanted) if word not in FILLERS]
    ways: list[Callable[[Task], bool]] = [
        lambda task: task.title == " ".join(called.split()),
        lambda task: folded(task.title) == wanted,
        lambda task: set(described) <= set(words(folded(task.title))),
        lambda task: all(word in folded(task.title) for word in described),
    ]
    # Without a word that describes one, all of them would fit.
    for fits in ways if described else ways[:2]:
        if found := [task for task in tasks if fits(task)]:
            return found
    return []
