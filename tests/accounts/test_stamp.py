"""What a person has signed in ends with their password, address or account, whoever changes it and by whatever way."""

import asyncio
import getpass
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import jwt
import pytest
from django.core import mail
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from pytest_django import Settings

from accounts import access_tokens, callers, jwts, refresh_tokens
from accounts.jwts import InvalidToken
from accounts.models import User
from accounts.sessions import is_signed_in
from conversations.models import Conversation
from conversations.transfer import exports
from conversations.transfer.writers import JsonWriter
from tests.factories import PASSWORD, ConversationFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "a quite different sentence"
NO_LIMITS = {f"usage_limits-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM")}
"""What the form of a person in the admin sends of the limits that have none."""


@pytest.fixture(autouse=True)
def no_attempts(db: None) -> None:
    """Nobody has tried to sign in yet."""
    cache.clear()


def superuser() -> Client:
    client = Client()
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    return client


def by_page(user: User) -> None:
    client = Client()
    client.force_login(user)
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    assert client.get("/").status_code == 200, "where the password was changed one stays signed in"


def by_reset(user: User) -> None:
    client = Client()
    client.post("/accounts/password/reset/", {"email": user.email})
    found = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", str(mail.outbox[-1].body))
    assert found
    path = client.get(found[1], follow=True).redirect_chain[-1][0]
    client.post(path, {"password1": NEW, "password2": NEW})


def by_admin(user: User) -> None:
    data = {"usable_password": "true", "password1": NEW, "password2": NEW}
    answer = superuser().post(f"/admin/accounts/user/{user.pk}/password/", data)
    assert answer.status_code == 302


def by_admin_address(user: User) -> None:
    data = {"email": "new@example.org", "is_active": "on", **NO_LIMITS}
    assert superuser().post(f"/admin/accounts/user/{user.pk}/change/", data).status_code == 302


def by_admin_closing(user: User) -> None:
    data = {"email": user.email, **NO_LIMITS}
    assert superuser().post(f"/admin/accounts/user/{user.pk}/change/", data).status_code == 302


def by_command(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda prompt: NEW)
    call_command("changepassword", user.email, stdout=StringIO())


def by_code(user: User) -> None:
    user.set_password(NEW)
    user.save()


def by_code_address(user: User) -> None:
    user.email = "new@example.org"
    user.save(update_fields=["email"])


def by_queryset(user: User) -> None:
    User.objects.filter(pk=user.pk).update(password=UserFactory.build().password)


def by_bulk_update(user: User) -> None:
    user.email = "new@example.org"
    User.objects.bulk_update([user], ["email"])


def by_queryset_closing(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def by_sql(user: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET email = 'new@example.org' WHERE id = %s", [user.pk])


WAYS: dict[str, Callable[..., None]] = {
    name.removeprefix("by_"): way for name, way in list(globals().items()) if name.startswith("by_")
}


@pytest.mark.parametrize("way", WAYS)
def test_all_that_was_signed_in_ends(user: User, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Client()
    browser.force_login(user)
    _, text = access_tokens.make(user, name="Nightly report")
    pair = refresh_tokens.begin(user, agent="curl")
    alone = jwts.issue(user)
    foreign = jwt.encode(
        {"sub": str(user.pk), "iat": datetime.now(UTC), "exp": datetime.now(UTC) + timedelta(hours=1)},
        jwts.secret(),
        algorithm="HS256",
    )
    tokens = (text, pair["access_token"], alone, foreign)
    kept = [callers.identify(token) for token in tokens]
    assert browser.get("/").status_code == 200
    WAYS[way](user, *([monkeypatch] if way == "command" else []))
    User.objects.filter(pk=user.pk).update(is_active=True)
    assert browser.get("/").status_code == 302
    for token, caller in zip(tokens, kept, strict=True):
        assert not caller.is_welcome()
        with pytest.raises(InvalidToken):
            callers.identify(token)
    with pytest.raises(InvalidToken):
        refresh_tokens.renew(pair["refresh_token"])


@pytest.mark.parametrize("way", [way for way in WAYS if way != "sql"])
def test_the_person_is_told_what_has_ended(user: User, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old = user.email
    Client().force_login(user)
    access_tokens.make(user, name="Nightly report")
    access_tokens.make(user, name="Long over", expires_at=datetime.now(UTC) - timedelta(days=1))
    refresh_tokens.begin(user, agent="curl")
    mail.outbox.clear()
    WAYS[way](user, *([monkeypatch] if way == "command" else []))
    user.refresh_from_db()
    told = [message for message in mail.outbox if "ended the following sign-ins" in str(message.body)]
    assert sorted(address for message in told for address in message.to) == sorted({old, user.email})
    for message in told:
        body = str(message.body)
        assert "browser" in body
        assert "1 program that" in body
        assert "Nightly report" in body
        assert "Long over" not in body


def test_whoever_is_told_late_is_told_all_the_same(user: User, stranger: User) -> None:
    by_sql(user)
    assert not mail.outbox
    by_code(stranger)
    assert {address for message in mail.outbox for address in message.to} == {
        user.email,
        "new@example.org",
        stranger.email,
    }


def test_a_change_of_something_else_ends_nothing(user: User) -> None:
    browser = Client()
    browser.force_login(user)
    _, text = access_tokens.make(user, name="Script")
    mail.outbox.clear()
    stale = User.objects.get(pk=user.pk)
    user.is_staff = True
    user.save()
    stale.save()
    assert callers.identify(text).user == user
    assert browser.get("/").status_code == 200
    assert not mail.outbox


def test_a_row_that_was_read_before_does_not_bring_anything_back(user: User) -> None:
    token = jwts.issue(user)
    stale = User.objects.get(pk=user.pk)
    by_code(user)
    stale.save()
    with pytest.raises(InvalidToken):
        callers.identify(token)


def test_a_password_that_is_kept_in_a_new_way_ends_nothing(user: User, settings: Settings) -> None:
    browser = Client()
    browser.force_login(user)
    _, text = access_tokens.make(user, name="Script")
    mail.outbox.clear()
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    assert user.check_password(PASSWORD)
    user.refresh_from_db()
    assert user.password.startswith("scrypt")
    assert callers.identify(text).user == user
    assert browser.get("/").status_code == 200
    assert not mail.outbox
    by_code(user)
    assert browser.get("/").status_code == 302


def test_a_session_from_before_there_were_stamps_goes_on_until_a_change(user: User) -> None:
    browser = Client()
    browser.force_login(user)
    session = browser.session
    session["_auth_user_hash"] = super(User, user).get_session_auth_hash()
    session.save()
    assert browser.get("/").status_code == 200
    by_code_address(user)
    assert browser.get("/").status_code == 302


def test_an_old_address_neither_signs_in_nor_resets(user: User) -> None:
    old = user.email
    by_admin_address(user)
    assert Client().post("/accounts/login/", {"login": old, "password": PASSWORD}).status_code == 200
    mail.outbox.clear()
    Client().post("/accounts/password/reset/", {"email": old})
    assert all("/reset/key/" not in str(message.body) for message in mail.outbox)
    assert Client().post("/accounts/login/", {"login": "new@example.org", "password": PASSWORD}).status_code == 302


def test_an_export_that_runs_ends(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "WELCOME_SECONDS", 0.0)
    monkeypatch.setattr(exports, "PIECE", 1)
    for number in range(3):
        ConversationFactory.create(user=user, title=f"Secret {number}")
    request = HttpRequest()
    client = Client()
    client.force_login(user)
    request.session, request.user = client.session, user
    looks = list[bool]()

    def is_welcome() -> bool:
        if looks:
            by_queryset(user)
        looks.append(is_signed_in(request))
        return looks[-1]

    async def sent() -> bytes:
        mine = Conversation.objects.owned_by(user)
        return b"".join([piece async for piece in exports.pieces(mine, JsonWriter(), is_welcome=is_welcome)])

    assert asyncio.run(sent()).count(b"Secret") == 1
    assert looks == [True, False]
