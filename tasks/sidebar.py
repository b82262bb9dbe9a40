"""The entry of the to-do list in the sidebar of every page."""

from django.urls import reverse

from accounts.requests import PersonRequest
from chatbot.web.shell import Place
from tasks.models import Task


def place(request: PersonRequest) -> Place:
    """The link to the to-do list, with the number of the person's open tasks. Causes a query."""
    count = Task.objects.owned_by(request.user).open().count()
    return Place("tasks", "Tasks", "tasks", reverse("tasks"), count, "open")
