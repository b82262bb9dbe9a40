"""The Django app of conversations."""

from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    """The app of conversations, messages and replies."""

    name = "conversations"

    def ready(self) -> None:
        """Register the checks of the app's settings."""
        from conversations import checks  # noqa: F401 (importing registers)
