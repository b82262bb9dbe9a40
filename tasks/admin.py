"""Tasks in the admin: that they exist, whose they are, and for whoever may read them, what they say."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.readings import record, staff
from accounts.staff_lists.dates import moment
from accounts.staff_lists.filters import BoundedFilter
from accounts.staff_lists.keyset import KeysetAdmin, Order
from tasks import actions
from tasks.models import Task

TEXTS = ("title", "description")
FACTS = ("id", "user", "due", "created_at", "updated_at", "completed_at", "deleted_at")


class TaskStateFilter(BoundedFilter):
    """Filters tasks by state: open, done or deleted."""

    title, parameter_name = "state", "state"
    fixed = (("open", "Open"), ("done", "Done"), ("deleted", "Deleted"))

    def passed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """The tasks in the chosen state."""
        if chosen == "deleted":
            return rows.filter(deleted_at__isnull=False)
        return rows.filter(deleted_at=None, completed_at__isnull=chosen == "open")


@admin.register(Task)
class TaskAdmin(KeysetAdmin):
    """Admin of tasks, newest first; a task's page shows its texts to readers, and records each reading."""

    order = Order("created_at")
    date_hierarchy = "created_at"
    columns = ("created_at", "completed_at", "deleted_at", "due", "user__email")
    lookups = ("user__id__exact",)
    list_display = ("added", "state", "due", "user")
    list_select_related = ("user",)
    list_filter = (TaskStateFilter,)

    @admin.display
    def added(self, task: Task) -> str:
        """Time at which it was added."""
        return moment(task.created_at)

    @admin.display
    def state(self, task: Task) -> str:
        """Whether it is open, done or deleted."""
        if task.deleted_at:
            return "deleted"
        return "done" if task.is_done else "open"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The facts, and the texts for staff who may read them."""
        return (*TEXTS, *FACTS) if may_read(request) else FACTS

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """All fields that the page shows."""
        return self.get_fields(request, obj)

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """The task's page. A reading is recorded before anything is shown."""
        task = self.get_object(request, object_id) if object_id and request.method == "GET" else None
        if task and self.has_view_permission(request, task) and may_read(request):
            record(request, Task, [task], "Read the task.")
        return super().changeform_view(request, object_id, *args, **kwargs)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Erase the task, by the verb that tells the person's open pages."""
        actions.erase(Task.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Erase the tasks, by the verb that tells the open pages."""
        actions.erase(Task.objects.filter(pk__in=queryset.values("pk")))


def may_read(request: HttpRequest) -> bool:
    """Whether this member of staff may read what tasks say, not only see that they exist."""
    return staff(request).has_perms(("tasks.view_task", "tasks.read_task"))
