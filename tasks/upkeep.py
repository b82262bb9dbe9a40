"""What becomes of deleted tasks that can no longer be restored."""

from accounts.models import User
from tasks.models import Task, TaskQuerySet


def expired(user: User | None) -> TaskQuerySet:
    """Deleted tasks to be removed permanently, of this person or of everybody."""
    found: TaskQuerySet = Task.objects.expired()
    return found.filter(user=user) if user else found
