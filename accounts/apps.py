"""The accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Who you are."""

    name = "accounts"

    def ready(self) -> None:
        """Register the checks of the app's settings."""
        from accounts import checks  # noqa: F401 (importing registers)
