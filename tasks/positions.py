"""Positions of tasks: whole numbers with wide gaps, so that a move changes one row.

Whoever calls these has locked the person's list. A gap is halved by each move into it; when one is used up, all of the
person's tasks are numbered again, deleted ones too, so that a restored task is back where it was.
"""

from uuid import UUID

from django.db.models import Max, Min

from chatbot.core import sql
from tasks.models import Task

GAP = 2**20
"""Distance of two neighbours after numbering: room for twenty moves to one and the same place."""

NUMBER_AGAIN = """
UPDATE tasks_task SET position = numbered.number * %(gap)s
FROM (
    SELECT id, row_number() OVER (ORDER BY position, id) AS number FROM tasks_task WHERE user_id = %(user_id)s
) AS numbered
WHERE tasks_task.id = numbered.id
"""


def first(user_id: UUID) -> int:
    """The position above all of the person's tasks. Causes a query."""
    top = Task.objects.filter(user_id=user_id).aggregate(top=Min("position"))["top"]
    return 0 if top is None else int(top) - GAP


def beside(neighbour: Task, moved: Task, *, is_above: bool) -> int:
    """The position right above, or right below, a task that is in the same list, for another one. Causes queries."""
    found = _between(neighbour, moved, is_above=is_above)
    if found is None:
        sql.run(NUMBER_AGAIN, {"gap": GAP, "user_id": neighbour.user_id})
        neighbour.refresh_from_db(fields=("position",))
        found = _between(neighbour, moved, is_above=is_above)
    if found is None:
        raise AssertionError("There is no room between numbers that were given anew.")
    return found


def _between(neighbour: Task, moved: Task, *, is_above: bool) -> int | None:
    """A number between the neighbour's and that of the task beyond it; None where there is none."""
    others = Task.objects.filter(user_id=neighbour.user_id).exclude(pk__in=(neighbour.pk, moved.pk))
    here = neighbour.position
    if is_above:
        beyond = others.filter(position__lte=here).aggregate(end=Max("position"))["end"]
        low, high = (here - 2 * GAP if beyond is None else beyond), here
    else:
        beyond = others.filter(position__gte=here).aggregate(end=Min("position"))["end"]
        low, high = here, (here + 2 * GAP if beyond is None else beyond)
    return (low + high) // 2 if high - low > 1 else None
