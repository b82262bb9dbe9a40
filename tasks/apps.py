"""The Django app of the to-do list."""

from django.apps import AppConfig


class TasksConfig(AppConfig):
    """The app of people's tasks: a page, an API, and verbs for whoever acts for a person."""

    name = "tasks"
