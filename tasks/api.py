"""Operations of the API on tasks."""

from typing import Annotated, Any
from uuid import UUID, uuid5

from django.db import transaction
from django.http import Http404, HttpResponse
from django.utils import timezone
from ninja import Header, Query, Router

from accounts.bearer import ApiRequest
from chatbot.web.api import errors, json_response
from chatbot.web.problems import invalid
from tasks import actions, lists
from tasks.actions import UNSET
from tasks.lists import Show
from tasks.models import Place, Task
from tasks.schemas import Day, TaskChanges, TaskIn, TaskOut, TasksOut, TaskWhole

PAGE, PAGE_MAX = 30, 100
CURSOR = r"^(-?[0-9]{1,19}-[0-9a-f]{32})?$"
KEYS = "tasks:"
"""Keeps a key that was used for another operation apart."""

router = Router(tags=["tasks"])

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[ -~]{0,255}$",
        description="A repeated request with the same key returns the task that the first one stored, as it is now.",
    ),
]


@router.get("/{user_id}/tasks", response={200: TasksOut} | errors(401, 422, 429, 503), summary="List tasks")
def list_tasks(
    request: ApiRequest,
    user_id: str,
    show: Annotated[Show, Query(description="Which tasks: those due today and overdue ones are open.")] = Show.ALL,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE,
    cursor: Annotated[str, Query(pattern=CURSOR)] = "",
    today: Annotated[Day | None, Query(description="The person's day, for what is due; else the site's.")] = None,
) -> HttpResponse:
    """List tasks page by page: in the person's order, done ones alone with the last one completed first."""
    try:
        page = lists.page(
            request.auth.user, show, today=today or timezone.localdate(), place=Place.parse(cursor), size=limit
        )
    except ValueError as error:
        raise invalid(("cursor", "This is not a cursor of this list.")) from error
    return json_response(
        {
            "items": [task_fields(task) for task in page.tasks],
            "next_cursor": str(page.next_place) if page.next_place else None,
        }
    )


@router.post(
    "/{user_id}/tasks",
    response={201: TaskOut} | errors(401, 403, 404, 409, 422, 429, 503),
    summary="Add a task",
)
def add_task(request: ApiRequest, user_id: str, body: TaskIn, idempotency_key: IdempotencyKey = "") -> HttpResponse:
    """Add a task above the others. 404 when a task with the same key was deleted meanwhile."""
    user = request.auth.user
    key = uuid5(user.pk, f"{KEYS}{idempotency_key}") if idempotency_key else None
    task = actions.add(user, title=body.title, description=body.description, due=body.due, key=key)
    address = request.build_absolute_uri(f"{request.path.rstrip('/')}/{task.pk}")
    return json_response(task_fields(task), status=201, headers={"Location": address})


@router.get(
    "/{user_id}/tasks/{task_id}",
    response={200: TaskOut} | errors(401, 404, 429, 503),
    summary="Describe a task",
)
def get_task(request: ApiRequest, user_id: str, task_id: UUID) -> HttpResponse:
    """Return one task of the person."""
    return json_response(task_fields(find_task(request, task_id)))


@router.put(
    "/{user_id}/tasks/{task_id}",
    response={200: TaskOut} | errors(401, 403, 404, 422, 429, 503),
    summary="Replace a task",
)
def replace_task(request: ApiRequest, user_id: str, task_id: UUID, body: TaskWhole) -> HttpResponse:
    """Give the task these fields; one that is absent gets its default."""
    task = find_task(request, task_id)
    changed = actions.update(task, title=body.title, description=body.description, due=body.due, done=body.done)
    return json_response(task_fields(changed))


@router.patch(
    "/{user_id}/tasks/{task_id}",
    response={200: TaskOut} | errors(401, 403, 404, 422, 429, 503),
    summary="Change a task",
)
def change_task(request: ApiRequest, user_id: str, task_id: UUID, body: TaskChanges) -> HttpResponse:
    """Change the fields that are given, all or none of them, and move the task if a place is given."""
    task = find_task(request, task_id)
    with transaction.atomic():
        if body.before or body.after:
            actions.move(task, before=body.before, after=body.after)
        changed = actions.update(
            task,
            title=body.title,
            description=body.description,
            due=body.due if "due" in body.model_fields_set else UNSET,
            done=body.done,
        )
    return json_response(task_fields(changed))


@router.delete(
    "/{user_id}/tasks/{task_id}",
    response={204: None} | errors(401, 403, 404, 429, 503),
    summary="Delete a task",
)
def delete_task(request: ApiRequest, user_id: str, task_id: UUID) -> HttpResponse:
    """Delete a task; it is removed for good after a day."""
    actions.delete(find_task(request, task_id))
    return HttpResponse(status=204)


@router.patch(
    "/{user_id}/tasks/{task_id}/complete",
    response={200: TaskOut} | errors(401, 403, 404, 429, 503),
    summary="Complete a task",
)
def complete_task(request: ApiRequest, user_id: str, task_id: UUID) -> HttpResponse:
    """Mark a task as done; one that is done already stays as it is. `{"done": false}` to the task reopens it."""
    actions.complete(find_task(request, task_id))
    return json_response(task_fields(find_task(request, task_id)))


def find_task(request: ApiRequest, key: UUID) -> Task:
    """The caller's own task. Raises `Http404` for any other. Causes a query."""
    found: Task | None = Task.objects.owned_by(request.auth.user).filter(pk=key).first()
    if found is None:
        raise Http404
    return found


def task_fields(task: Task) -> dict[str, Any]:
    """A task's fields as `TaskOut` describes them."""
    return {
        "id": task.pk,
        "title": task.title,
        "description": task.description,
        "due": task.due,
        "done": task.is_done,
        "completed_at": task.completed_at,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
    }
