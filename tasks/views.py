"""The to-do list's requests: find, act, answer. With htmx the answer is the list, without it a redirect to its page."""

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views import View

from accounts.requests import PersonRequest, next_url
from chatbot.core.cursors import from_microseconds
from chatbot.core.errors import UserFacingError
from chatbot.web import shell
from chatbot.web.notices import notices, say
from tasks import actions, pages
from tasks.errors import TaskGone
from tasks.forms import MoveForm, NewTaskForm, TaskEditForm, chosen_list
from tasks.lists import Show
from tasks.models import Place, Task


class TasksView(View):
    """The page of one of the lists, and its form for a new task."""

    def get(self, request: PersonRequest) -> HttpResponse:
        """Show the list; for htmx with the `seen` state of the page, status 204 when nothing has changed."""
        show = chosen_list(request.GET.get("show", ""))
        seen = request.GET.get("seen")
        if request.htmx and seen is not None:
            if seen == pages.token(request.user):
                return HttpResponse(status=204)
            return answer(request, request.get_full_path())
        return list_page(request, show, place(request.GET.get("after", "")))

    def post(self, request: PersonRequest) -> HttpResponse:
        """Add a task above the others."""
        form = NewTaskForm(request.POST)
        if not form.is_valid():
            return refuse(request, form.sentence, 422)
        fields = form.cleaned_data
        try:
            task = actions.add(request.user, title=fields["title"], due=fields["due"], key=fields["key"])
        except UserFacingError as error:
            return refuse(request, str(error), error.http_status)
        return done(request, f"Added “{task.title}”.", is_shown=True)


class TaskDetailView(View):
    """One task, to be changed."""

    def get(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Show the form: as a page, or for htmx as a row of the list."""
        task = find(request, pk)
        here = back(request.GET.get("next", ""))
        context = pages.edit_context(task, shown_at(here), here)
        if request.htmx:
            return render(request, "tasks/_editing.html", context)
        return shell.page(request, "tasks/task.html", context)

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Change what the task says."""
        form = TaskEditForm(request.POST)
        if not form.is_valid():
            return refuse_edit(request, pk, form.sentence)
        fields = form.cleaned_data
        return act(request, pk, partial(actions.update, **fields), "Saved.")


class TaskCompleteView(View):
    """Marks a task as done."""

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Complete the task in the address."""
        return act(request, pk, actions.complete, "Completed “{title}”.")


class TaskReopenView(View):
    """Marks a task as still to be done."""

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Reopen the task in the address."""
        return act(request, pk, actions.reopen, "“{title}” is open again.")


class TaskMoveView(View):
    """Moves a task in the order of the list."""

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Move the task a step up or down in the list that the form's page shows, or beside another task."""
        form = MoveForm(request.POST)
        if not form.is_valid():
            raise BadRequest("This is no place to move a task to.")
        show = shown_at(next_url(request))

        def move(task: Task) -> None:
            if direction := form.cleaned_data["direction"]:
                actions.step(task, show=show, today=pages.today(), is_up=direction == "up")
            else:
                actions.move(task, before=form.cleaned_data["before"], after=form.cleaned_data["after"])

        return act(request, pk, move, "Moved “{title}”.")


class TaskDeleteView(View):
    """Deletes a task, which can be undone."""

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Delete the task, and offer to restore it."""

        def delete(task: Task) -> None:
            say(request, f"Deleted “{task.title}”.", undo="tasks-restore", at=actions.delete(task))

        return act(request, pk, delete, "")


class TasksRestoreView(View):
    """Puts back what was deleted."""

    def post(self, request: PersonRequest) -> HttpResponse:
        """Restore the tasks that were deleted at the time that the form names."""
        try:
            at = from_microseconds(request.POST.get("at", ""))
        except ValueError as error:
            raise BadRequest("That is not a time.") from error
        try:
            actions.restore(request.user, at=at)
        except UserFacingError as error:
            return refuse(request, str(error), error.http_status)
        return done(request, "Restored.")


def find(request: PersonRequest, pk: UUID) -> Task:
    """The person's own task. Raises `Http404` for any other. Causes a query."""
    return get_object_or_404(Task.objects.owned_by(request.user), pk=pk)


def act(request: PersonRequest, pk: UUID, verb: Callable[[Task], object], sentence: str) -> HttpResponse:
    """Do it with the person's task, and answer with the list, or with the sentence of why it was not done.

    `{title}` in the sentence about what was done becomes the task's title.
    """
    task = Task.objects.owned_by(request.user).select_related("user").filter(pk=pk).first()
    try:
        if task is None:
            raise TaskGone
        verb(task)
    except UserFacingError as error:
        return refuse(request, str(error), error.http_status)
    return done(request, sentence.replace("{title}", task.title))


def done(request: PersonRequest, sentence: str, *, is_shown: bool = False) -> HttpResponse:
    """The list after an action; without a script the next page shows the sentence, if it is not plain to see."""
    if request.htmx:
        return answer(request, next_url(request), said=sentence)
    if sentence and not is_shown:
        say(request, sentence)
    return HttpResponseRedirect(back(next_url(request)))


def answer(request: PersonRequest, here: str, *, said: str = "") -> HttpResponse:
    """The list of the page `here`: as a fragment for htmx, else by a redirect. `said` is read aloud."""
    if not request.htmx:
        return HttpResponseRedirect(back(here))
    query = parse_qs(urlsplit(here).query)
    after = place(query.get("after", [""])[0])
    context = {**list_of(request, shown_at(here), after), "said": said, "notices": notices(request)}
    return render(request, "tasks/_tasks.html", context)


def refuse(request: PersonRequest, sentence: str, status: int) -> HttpResponse:
    """The sentence of why something was not done: beside the form, which keeps what was typed."""
    if request.htmx:
        return render(request, "_notice.html", {"notice": sentence}, status=status)
    typed = {"title": request.POST.get("title", ""), "due": request.POST.get("due", "")}
    show = shown_at(next_url(request))
    return list_page(request, show, None, status=status, notice=sentence, typed=typed)


def refuse_edit(request: PersonRequest, pk: UUID, sentence: str) -> HttpResponse:
    """The sentence of why a task was not changed; without a script the form again, with what was typed."""
    if request.htmx:
        return render(request, "_notice.html", {"notice": sentence}, status=422)
    task, here = find(request, pk), back(next_url(request))
    typed = {name: request.POST.get(name, "") for name in ("title", "description", "due")}
    context = pages.edit_context(task, shown_at(here), here) | {"typed": typed, "notice": sentence}
    return shell.page(request, "tasks/task.html", context, 422)


def list_page(
    request: PersonRequest, show: Show, after: Place | None, *, status: int = 200, **more: Any
) -> HttpResponse:
    """The whole page of a list."""
    return shell.page(request, "tasks/tasks.html", list_of(request, show, after) | more, status)


def list_of(request: PersonRequest, show: Show, after: Place | None) -> dict[str, Any]:
    """Context of a list. Raises `BadRequest` for a place that is none."""
    try:
        return pages.list_context(request.user, show, after=after)
    except ValueError as error:
        raise BadRequest("That is not a place in a list.") from error


def place(text: str) -> Place | None:
    """The place in an address, or None. Raises `BadRequest` when it is malformed."""
    try:
        return Place.parse(text)
    except ValueError as error:
        raise BadRequest("That is not a place in a list.") from error


def back(here: str) -> str:
    """The address, if it is one of the to-do list's pages; else that of the open tasks."""
    return here if urlsplit(here).path == reverse("tasks") and not urlsplit(here).netloc else reverse("tasks")


def shown_at(here: str) -> Show:
    """The list that the page at an address shows."""
    return chosen_list(parse_qs(urlsplit(here).query).get("show", [""])[0])
