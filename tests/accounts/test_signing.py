"""Signing up, in and out; passwords; limits."""

import re
from io import StringIO

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from accounts.mail import ReadableConsoleBackend
from accounts.models import User
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_attempts(db: None) -> None:
    """Nobody has tried to sign in yet: a test before this one, whose transaction was committed, may have."""
    cache.clear()


def test_signing_up_signs_in(client: Client) -> None:
    response = client.post("/accounts/signup/", {"email": "Ada@Example.org", "password1": PASSWORD})
    assert (response.status_code, response["Location"]) == (302, "/")
    assert User.objects.get().email == "ada@example.org"
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("password", ["short", "12345678901", "password", "ada@example.org"])
def test_a_weak_password_is_refused(client: Client, password: str) -> None:
    response = client.post("/accounts/signup/", {"email": "ada@example.org", "password1": password})
    assert response.status_code == 200
    assert not User.objects.exists()


def test_a_closed_site_takes_nobody_new(client: Client, settings: Settings) -> None:
    settings.SIGNUP_OPEN = False
    client.post("/accounts/signup/", {"email": "ada@example.org", "password1": PASSWORD})
    assert not User.objects.exists()
    assert "closed" in client.get("/accounts/signup/").content.decode().lower()
    login = client.get("/accounts/login/").content.decode()
    assert "/accounts/signup/" not in login
    assert "Ask the people who run this site for one" in login


def test_an_open_site_says_where_to_sign_up(client: Client) -> None:
    assert 'href="/accounts/signup/?next=%2Fc%2Fx%2F"' in client.get("/accounts/login/?next=/c/x/").content.decode()


def test_signing_up_twice_does_not_tell_who_has_an_account(client: Client) -> None:
    UserFactory.create(email="ada@example.org")
    response = client.post("/accounts/signup/", {"email": "ada@example.org", "password1": PASSWORD})
    assert User.objects.count() == 1
    assert client.get("/").status_code == 302
    assert response.status_code == 200 or "Location" in response


def test_signing_in_by_email_whatever_its_case(client: Client) -> None:
    UserFactory.create(email="ada@example.org")
    response = client.post("/accounts/login/", {"login": "ADA@example.org", "password": PASSWORD})
    assert response["Location"] == "/"


def test_signing_in_goes_on_to_the_page_that_was_asked_for(client: Client) -> None:
    UserFactory.create(email="ada@example.org")
    asked = client.get("/c/00000000-0000-7000-8000-000000000000/")["Location"]
    response = client.post(asked, {"login": "ada@example.org", "password": PASSWORD, "next": "/c/x/"})
    assert response["Location"] == "/c/x/"
    client.logout()
    response = client.post(
        "/accounts/login/", {"login": "ada@example.org", "password": PASSWORD, "next": "https://evil.example/"}
    )
    assert response["Location"] == "/"


def test_a_wrong_password_is_refused_and_soon_limited(client: Client) -> None:
    UserFactory.create(email="ada@example.org")
    statuses = []
    for _ in range(12):
        response = client.post("/accounts/login/", {"login": "ada@example.org", "password": "wrong"})
        statuses.append((response.status_code, "too many" in response.content.decode().lower()))
    assert statuses[0] == (200, False)
    assert statuses[-1][1] or statuses[-1][0] == 429
    response = client.post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})
    assert response.status_code != 302


def test_signing_out_needs_a_post(signed_in: Client) -> None:
    assert signed_in.get("/accounts/logout/").status_code == 200
    assert signed_in.get("/").status_code == 200
    assert signed_in.post("/accounts/logout/")["Location"] == "/accounts/login/"
    assert signed_in.get("/").status_code == 302


def test_a_forgotten_password_is_set_anew_by_mail(client: Client) -> None:
    user = UserFactory.create(email="ada@example.org")
    client.post("/accounts/password/reset/", {"email": "ada@example.org"})
    (message,) = mail.outbox
    assert message.subject.startswith("Chatbot: ")
    found = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", str(message.body))
    assert found
    form = client.get(found[1], follow=True)
    path = form.redirect_chain[-1][0]
    client.post(path, {"password1": "a quite different sentence", "password2": "a quite different sentence"})
    user.refresh_from_db()
    assert user.check_password("a quite different sentence")


def test_a_password_is_changed_with_the_old_one(signed_in: Client, user: User) -> None:
    data = {
        "oldpassword": PASSWORD,
        "password1": "a quite different sentence",
        "password2": "a quite different sentence",
    }
    assert signed_in.post("/accounts/password/change/", data).status_code == 302
    user.refresh_from_db()
    assert user.check_password("a quite different sentence")


@pytest.mark.parametrize(
    "path",
    ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/accounts/password/reset/done/"],
)
def test_public_account_pages_open(client: Client, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/accounts/password/change/", "/accounts/logout/", "/accounts/email/"])
def test_a_persons_account_pages_open(signed_in: Client, path: str) -> None:
    assert signed_in.get(path).status_code == 200


def test_mail_without_a_server_is_printed_with_its_links_whole() -> None:
    link = "https://chat.example.org/accounts/password/reset/key/" + "x" * 100
    printed = StringIO()
    ReadableConsoleBackend(alias="default", stream=printed).send_messages(
        [mail.EmailMessage("Subject", f"Open {link} now", to=["ada@example.org"])]
    )
    assert f"Open {link} now" in printed.getvalue()
    assert "To: ada@example.org" in printed.getvalue()
