"""The conversations app."""

from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    """What is said."""

    name = "conversations"

    def ready(self) -> None:
        """Register the checks of the app's settings."""
        from conversations import checks  # noqa: F401 (importing registers)
