"""The accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Who you are."""

    name = "accounts"

    def ready(self) -> None:
        """Register the checks of the app's settings, and what follows a sign-in, a verified address and a request."""
        from accounts import checks, following  # noqa: F401 (importing registers)
