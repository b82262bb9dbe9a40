"""The tools by which the assistant uses a person's to-do list."""

from datetime import date, timedelta
from typing import Literal

from django.utils import timezone

from accounts.models import User
from tasks import actions, lists
from tasks.actions import UNSET
from tasks.finding import find
from tasks.lists import Show
from tasks.models import Task
from tools.define import Cell, Table, ToolError, tool

TITLES_MOST = 10
"""Titles that an error names when several tasks fit."""

LISTED_MOST = 200
"""Tasks that one call lists."""

type Day = Literal["today", "tomorrow"]


@tool(step="Adding “{title}” to your tasks", done="Added “{title}” to your tasks")
def add_task(user: User, title: str, due: date | Day | None = None, description: str = "") -> str:
    """Add a task to the user's to-do list.

    Args:
        title: What is to be done, in a few words.
        due: The day it is due, if one was said: a date, or today or tomorrow.
        description: Further details, if there are any.
    """
    return f"Added: {_told(actions.add(user, title=title, due=_day(due), description=description))}"


@tool(read_only=True, step="Reading your tasks", done="Read your tasks")
def list_tasks(user: User, show: Literal["open", "today", "overdue", "done", "all"] = "open") -> Table:
    """List the tasks on the user's to-do list, in their order.

    Args:
        show: Which of them: the open ones, those due today, those that are overdue, those that are done, or all.
    """
    page = lists.page(user, Show(show), today=timezone.localdate(), place=None, size=LISTED_MOST)
    columns = ["Task", "Due", "State"]
    rows: list[list[Cell]] = [[task.title, task.due, "done" if task.is_done else "open"] for task in page.tasks]
    if any(task.description for task in page.tasks):
        columns.append("Description")
        rows = [[*row, task.description] for row, task in zip(rows, page.tasks, strict=True)]
    return Table(columns, rows, [task.get_absolute_url() for task in page.tasks])


@tool(step="Completing “{task}”", done="Completed “{task}”")
def complete_task(user: User, task: str) -> str:
    """Mark a task on the user's to-do list as done.

    Args:
        task: The title of the task, or what the user calls it.
    """
    found = _one(user, task)
    return f"Completed: {found.title}" if actions.complete(found) else f"It was done already: {found.title}"


@tool(step="Changing “{task}”", done="Changed “{task}”")
def update_task(
    user: User,
    task: str,
    *,
    title: str | None = None,
    due: date | Day | Literal["none"] | None = None,
    description: str | None = None,
    done: bool | None = None,
) -> str:
    """Change a task on the user's to-do list; what is not given stays as it is.

    Args:
        task: The title of the task, or what the user calls it.
        title: Its new title.
        due: The day it is due: a date, or today or tomorrow; none removes it.
        description: Its new description.
        done: Whether it is done; false opens it again.
    """
    day = UNSET if due is None else _day(None if due == "none" else due)
    changed = actions.update(_one(user, task), title=title, due=day, description=description, done=done)
    return f"It is now: {_told(changed)}"


@tool(confirm=True, step="Deleting “{task}” from your tasks", done="Deleted “{task}” from your tasks")
def delete_task(user: User, task: str) -> str:
    """Delete a task from the user's to-do list.

    The user is asked before it happens, so call it without asking first.

    Args:
        task: The title of the task, or what the user calls it.
    """
    found = _one(user, task)
    actions.delete(found)
    return f"Deleted: {found.title}"


def _one(user: User, called: str) -> Task:
    """The only task that fits these words. Raises `ToolError`, which tells the model what to ask the person."""
    found = find(user, called)
    # Who speaks of a task means an open one, if there is one.
    found = [task for task in found if not task.is_done] or found
    if not found:
        raise ToolError(f"No task on the list fits {called!r}. List the tasks to see what they are called.")
    if len(found) > 1:
        titles = "; ".join(_told(task) for task in found[:TITLES_MOST])
        more = f"; and {len(found) - TITLES_MOST} more" if len(found) > TITLES_MOST else ""
        raise ToolError(f"Several tasks fit {called!r}: {titles}{more}. Ask the user which one is meant.")
    return found[0]


def _day(due: date | Day | None) -> date | None:
    today = timezone.localdate()
    if isinstance(due, str):
        return today if due == "today" else today + timedelta(days=1)
    return due


def _told(task: Task) -> str:
    """The task in words for the model."""
    state = " (done)" if task.is_done else ""
    return f"{task.title}, due {task.due.isoformat()}{state}" if task.due else f"{task.title}{state}"
