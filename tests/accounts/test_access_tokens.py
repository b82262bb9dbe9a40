"""The page on which a person makes, sees and revokes access tokens."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import access_tokens, callers
from accounts.jwts import InvalidToken
from accounts.models import AccessToken, User
from tests.support.elements import read

pytestmark = pytest.mark.django_db

PAGE = "/accounts/tokens/"


def test_a_token_is_made_and_shown_once(signed_in: Client, user: User) -> None:
    shown = signed_in.post(PAGE, {"name": "Nightly report", "lifetime": "30"})
    codes = [code.text() for code in read(shown.content.decode()).all("code")]
    (made,) = [code for code in codes if re.fullmatch(r"chat_[\w-]{43}", code)]
    caller = callers.identify(made)
    assert (caller.user, caller.is_read_only) == (user, False)
    again = signed_in.get(PAGE).content.decode()
    assert "Nightly report" in again
    assert made not in again
    token = AccessToken.objects.get()
    assert made not in str(vars(token))
    assert token.expires_at
    assert timedelta(days=29) < token.expires_at - timezone.now() < timedelta(days=30)
    assert "no-store" in shown["Cache-Control"]


def test_a_token_may_be_limited_to_reading(signed_in: Client) -> None:
    signed_in.post(PAGE, {"name": "Reader", "lifetime": "", "is_read_only": "on"})
    token = AccessToken.objects.get()
    assert (token.is_read_only, token.expires_at) == (True, None)


@pytest.mark.parametrize("fields", [{}, {"name": " "}, {"name": "x" * 101}, {"name": "a", "lifetime": "7000"}])
def test_a_token_needs_a_name_and_a_lifetime_of_the_list(signed_in: Client, fields: dict[str, str]) -> None:
    assert signed_in.post(PAGE, fields).status_code == 422
    assert not AccessToken.objects.exists()


def test_the_tokens_of_a_person_are_bounded(signed_in: Client, user: User) -> None:
    for number in range(access_tokens.TOKENS_MAX):
        access_tokens.make(user, name=str(number))
    refused = signed_in.post(PAGE, {"name": "One more", "lifetime": ""})
    assert refused.status_code == 422
    assert "which is the maximum" in refused.content.decode()
    assert AccessToken.objects.count() == access_tokens.TOKENS_MAX


def test_a_revoked_token_opens_nothing(signed_in: Client, user: User) -> None:
    token, text = access_tokens.make(user, name="Script")
    caller = callers.identify(text)
    assert caller.is_welcome()
    page = signed_in.post(f"{PAGE}{token.pk}/revoke/", follow=True)
    assert "was revoked" in page.content.decode()
    assert not caller.is_welcome()
    with pytest.raises(InvalidToken):
        callers.identify(text)


def test_a_stranger_neither_sees_nor_revokes_a_token(signed_in: Client, stranger: User) -> None:
    token, _ = access_tokens.make(stranger, name="Theirs")
    assert "Theirs" not in signed_in.get(PAGE).content.decode()
    assert signed_in.post(f"{PAGE}{token.pk}/revoke/").status_code == 404
    assert AccessToken.objects.exists()


def test_who_is_not_signed_in_is_asked_to(client: Client, user: User) -> None:
    token, _ = access_tokens.make(user, name="Mine")
    for answer in (client.get(PAGE), client.post(PAGE, {"name": "x"}), client.post(f"{PAGE}{token.pk}/revoke/")):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/")
    assert AccessToken.objects.count() == 1


def test_the_last_use_is_told(signed_in: Client, user: User) -> None:
    _, text = access_tokens.make(user, name="Script")
    assert "never used" in signed_in.get(PAGE).content.decode()
    callers.identify(text)
    assert "never used" not in signed_in.get(PAGE).content.decode()


def test_a_token_ends_with_its_time_and_with_its_person(user: User) -> None:
    _, late = access_tokens.make(user, name="Late", expires_at=timezone.now() - timedelta(seconds=1))
    _, good = access_tokens.make(user, name="Good", expires_at=timezone.now() + timedelta(hours=1))
    with pytest.raises(InvalidToken):
        callers.identify(late)
    assert callers.identify(good).user == user
    user.is_active = False
    user.save(update_fields=("is_active",))
    with pytest.raises(InvalidToken):
        callers.identify(good)


def test_each_token_has_requests_of_its_own(user: User) -> None:
    (_, one), (_, other) = access_tokens.make(user, name="One"), access_tokens.make(user, name="Other")
    assert [callers.identify(one).rate.requests for _ in range(3)] == [1, 2, 3]
    rate = callers.identify(other).rate
    assert rate.requests == 1
    assert 0 < rate.reset <= 60
    AccessToken.objects.update(window_began_at=timezone.now() - timedelta(seconds=61))
    assert callers.identify(one).rate.requests == 1
