"""allauth's inside, where a sign-in with a password needs it: the only module that builds on its private parts.

Its adapter and its backend are made to be replaced, but not in the middle of an attempt: how it counts, whom it finds
by an address, what it remembers of somebody who may not sign in, or who asks for a code. All of it is as allauth 65 has
it; `tests/contracts/test_allauth.py` says in words what another version has changed.
"""

from collections.abc import Iterable
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.core.internal import ratelimit
from django.http import HttpRequest

from accounts.models import User


class CountedAttempts(DefaultAccountAdapter):  # type: ignore[misc] # allauth has no types
    """An adapter whose heirs say what an attempt to sign in counts for; the right password gives it back."""

    def account_key(self, request: HttpRequest, **credentials: Any) -> str:
        """What names the account that somebody wants to sign in to."""
        key: str = super()._get_login_attempts_cache_key(request, **credentials)
        return key

    def attempt_key(self, request: HttpRequest, **credentials: Any) -> str:
        """What names the one who tries, and the account."""
        return f"{self.account_key(request, **credentials)}:{ratelimit.get_ip(request)}"

    def count_attempt(self, request: HttpRequest, counts: Iterable[tuple[str, str]]) -> None:
        """Count the attempt by these names of limits and keys. Raises a `ValidationError` where one is used up."""
        taken = []
        for action, key in counts:
            usage = ratelimit.consume(request, app="allauth.account", action=action, key=key)
            if not usage:
                raise self.validation_error("too_many_login_attempts")
            taken += usage.usage
        # Where allauth looks for what the right password gives back.
        self._login_failed_rl_usage = ratelimit.RateLimitUsage(taken)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        return self.attempt_key(request, **credentials)


class OwnAddress(AuthenticationBackend):  # type: ignore[misc] # allauth has no types
    """A backend by which an address belongs to the account that has it as its own, and to no other."""

    @classmethod
    def is_told(cls, user: User) -> bool:
        """Whether somebody with the right password may be told why they cannot sign in."""
        return True

    def _authenticate_by_email(self, email: str, password: str) -> User | None:
        found: User | None = self._check_password(User.objects.filter(email=email).first(), password)
        return found

    @classmethod
    def _stash_user(cls, user: User | None) -> User | None:
        found: User | None = super()._stash_user(user if user and cls.is_told(user) else None)
        return found


def say_whose(form: Any, person: User | None) -> None:
    """Tell a form that asks for a code by mail whose address was typed; None for nobody's."""
    form._user = person
