"""The Django app of accounts."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """The app of people, their sign-ins and tokens."""

    name = "accounts"

    def ready(self) -> None:
        """Register system checks, and handlers for sign-ins, verified addresses and requests."""
        from accounts import checks, following  # noqa: F401 (importing registers)
