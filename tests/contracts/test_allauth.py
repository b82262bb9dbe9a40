"""allauth's inside, as `accounts/allauth_inside.py` uses it between an attempt to sign in and its end."""

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.models import EmailAddress
from allauth.core import context
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.test import RequestFactory

from accounts.adapter import AccountAdapter
from accounts.allauth_inside import say_whose
from accounts.backends import AccountBackend
from accounts.forms import RequestCodeForm
from accounts.models import User
from tests.contracts.words import relied_upon
from tests.factories import PASSWORD

HOME = "accounts/allauth_inside.py"
MANY = 12
"""Attempts, more than the limit of `login_failed`, which lets five wrong ones pass."""

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_(rf: RequestFactory) -> Iterator[HttpRequest]:
    """Somebody's attempt to sign in."""
    cache.clear()
    yield rf.post("/accounts/login/")
    cache.clear()


def test_an_attempt_is_counted_by_the_account_and_the_network(request_: HttpRequest) -> None:
    with relied_upon("`_get_login_attempts_cache_key` names the account, whatever the case of its address.", HOME):
        key = AccountAdapter().account_key(request_, email="Ada@example.org")
        assert key.endswith("ada@example.org")
        assert AccountAdapter().attempt_key(request_, email="ada@example.org") == f"{key}:127.0.0.1"


def test_wrong_passwords_are_counted_and_the_right_one_is_given_back(request_: HttpRequest, user: User) -> None:
    def attempt(password: str) -> Any:
        return AccountAdapter().authenticate(request_, email=user.email, password=password)

    with relied_upon("`_login_failed_rl_usage` holds what the right password gives back (`RateLimitUsage`).", HOME):
        for _ in range(MANY):
            assert attempt(PASSWORD) == user
    with relied_upon("`allauth.core.internal.ratelimit.consume` returns nothing when a limit is used up.", HOME):
        for _ in range(5):
            assert attempt("wrong") is None
        with pytest.raises(ValidationError):
            attempt("wrong")


def test_an_address_belongs_to_the_account_that_has_it_as_its_own(user: User, stranger: User) -> None:
    EmailAddress.objects.create(user=stranger, email="other@example.org", verified=True)
    with relied_upon("allauth finds by `_authenticate_by_email` and checks by `_check_password`.", HOME):
        assert AccountBackend().authenticate(None, email=user.email, password=PASSWORD) == user
        assert AccountBackend().authenticate(None, email=user.email, password="wrong") is None
        assert AccountBackend().authenticate(None, email="other@example.org", password=PASSWORD) is None


@pytest.mark.parametrize("waits", [True, False])
def test_who_may_not_sign_in_is_told_so_unless_it_would_tell_strangers(user: User, *, waits: bool) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False, awaits_verification=waits)
    with relied_upon("allauth keeps who may not sign in by `_stash_user`, and asks it for them again.", HOME):
        AuthenticationBackend.unstash_authenticated_user()
        assert AccountBackend().authenticate(None, email=user.email, password=PASSWORD) is None
        assert AuthenticationBackend.unstash_authenticated_user() == (None if waits else user)


def test_a_form_that_asks_for_a_code_says_whose_address_was_typed(request_: HttpRequest, user: User) -> None:
    promise = "`RequestLoginCodeForm` keeps in `_user` whom its `clean_email` has found."
    with relied_upon(promise, HOME), context.request_context(request_):
        form = RequestCodeForm({"email": user.email})
        assert form.is_valid()
        assert form._user == user
        say_whose(form, None)
        assert form._user is None
