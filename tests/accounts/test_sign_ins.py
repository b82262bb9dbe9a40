"""The page of sign-ins; showing the password again before what matters."""

import time
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from accounts import access_tokens, callers, confirming, jwts, refresh_tokens
from accounts.agents import described
from accounts.jwts import InvalidToken
from accounts.models import AccessToken, RefreshToken, User
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

PAGE = "/accounts/sign-ins/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile Safari/604.1"


def sign_in(user: User, agent: str) -> Client:
    client = Client(HTTP_USER_AGENT=agent)
    data = {"login": user.email, "password": PASSWORD}
    assert client.post("/accounts/login/", data).status_code == 302
    return client


def later(client: Client, seconds: float) -> None:
    """Let the person have signed in so long ago."""
    session = client.session
    session[confirming.CONFIRMED] = time.time() - seconds
    session.save()


def test_browsers_programs_and_tokens_are_listed(user: User) -> None:
    here, _ = sign_in(user, FIREFOX), sign_in(user, PHONE)
    access_tokens.make(user, name="Nightly report")
    refresh_tokens.begin(user, agent="shopping-list/2.0")
    page = here.get(PAGE)
    text = page.content.decode()
    for shown in ("Firefox on Linux", "This one", "Safari on iPhone", "Nightly report", "shopping-list/2.0"):
        assert shown in text
    assert text.count("Sign out there") == 1
    assert str(here.session.session_key) not in text
    assert "no-store" in page["Cache-Control"]


def test_a_browser_is_signed_out_from_another(user: User) -> None:
    here, phone = sign_in(user, FIREFOX), sign_in(user, PHONE)
    (other,) = [browser for browser in here.get(PAGE).context["browsers"] if not browser.is_here]
    assert here.post(f"{PAGE}browsers/{other.key}/end/").status_code == 302
    assert phone.get("/").status_code == 302
    assert here.get("/").status_code == 200
    assert here.post(f"{PAGE}browsers/{other.key}/end/").status_code == 404


def test_a_program_is_ended(signed_in: Client, user: User) -> None:
    pair = refresh_tokens.begin(user, agent="curl")
    callers.identify(pair["access_token"])
    assert signed_in.post(f"{PAGE}programs/{RefreshToken.objects.get().pk}/end/").status_code == 302
    with pytest.raises(InvalidToken):
        callers.identify(pair["access_token"])


def test_a_token_is_revoked_there_too(signed_in: Client, user: User) -> None:
    token, _ = access_tokens.make(user, name="Script")
    answer = signed_in.post(f"/accounts/tokens/{token.pk}/revoke/", {"from-sign-ins": ""})
    assert answer["Location"] == PAGE
    assert not AccessToken.objects.exists()


def test_nothing_of_a_stranger_is_shown_or_ended(signed_in: Client, stranger: User) -> None:
    theirs = sign_in(stranger, PHONE)
    (browser,) = theirs.get(PAGE).context["browsers"]
    refresh_tokens.begin(stranger, agent="shopping-list/2.0")
    access_tokens.make(stranger, name="Theirs")
    text = signed_in.get(PAGE).content.decode()
    for hidden in ("iPhone", "shopping-list", "Theirs"):
        assert hidden not in text
    assert signed_in.post(f"{PAGE}browsers/{browser.key}/end/").status_code == 404
    assert signed_in.post(f"{PAGE}programs/{RefreshToken.objects.get().pk}/end/").status_code == 404
    assert theirs.get("/").status_code == 200


def test_who_is_not_signed_in_sees_and_ends_nothing(client: Client) -> None:
    for answer in (client.get(PAGE), client.post(f"{PAGE}end/"), client.post(f"{PAGE}browsers/x/end/")):
        assert answer["Location"].startswith("/accounts/login/")


def test_signing_out_everywhere_ends_everything(user: User) -> None:
    here, phone = sign_in(user, FIREFOX), sign_in(user, PHONE)
    _, text = access_tokens.make(user, name="Script")
    tokens = [text, refresh_tokens.begin(user, agent="curl")["access_token"], jwts.issue(user)]
    mail.outbox.clear()
    assert here.post(f"{PAGE}end/")["Location"] == "/accounts/login/"
    for client in (here, phone):
        assert client.get("/").status_code == 302
    for token in tokens:
        with pytest.raises(InvalidToken):
            callers.identify(token)
    (told,) = mail.outbox
    assert "signed out" in told.subject
    assert "Script" in str(told.body)


def test_an_ended_token_is_shown_as_such(user: User) -> None:
    access_tokens.make(user, name="Script")
    user.set_password("a quite different sentence")
    user.save()
    client = Client()
    client.force_login(user)
    assert "no longer valid" in client.get("/accounts/tokens/").content.decode()


def test_a_token_is_made_only_by_who_has_just_shown_the_password(user: User) -> None:
    client = sign_in(user, FIREFOX)
    later(client, confirming.ACCOUNT_SECONDS)
    mail.outbox.clear()
    assert client.get("/accounts/tokens/").status_code == 200
    asked = client.post("/accounts/tokens/", {"name": "Script", "lifetime": "30"})
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert not AccessToken.objects.exists()
    wrong = client.post(asked["Location"], {"password": "wrong", "next": "/accounts/tokens/"})
    assert wrong.status_code == 200
    assert not AccessToken.objects.exists()
    # What was typed is not lost.
    made = client.post(asked["Location"], {"password": PASSWORD, "next": "/accounts/tokens/"})
    assert "Copy the token now" in made.content.decode()
    assert AccessToken.objects.get().name == "Script"
    (told,) = mail.outbox
    assert "Script" in told.subject
    assert told.to == [user.email]
    assert client.post("/accounts/tokens/", {"name": "Another", "lifetime": ""}).status_code == 200


def test_a_new_address_is_taken_only_from_who_has_just_shown_the_password(user: User) -> None:
    client = sign_in(user, FIREFOX)
    later(client, confirming.ACCOUNT_SECONDS)
    asked = client.post("/accounts/email/", {"email": "new@example.org", "action_add": ""})
    assert asked["Location"].startswith("/accounts/reauthenticate/")


@pytest.mark.parametrize("path", ["/admin/", "/admin/accounts/user/", "/admin/conversations/conversation/"])
def test_the_admin_opens_only_to_who_has_lately_shown_the_password(path: str) -> None:
    staff = UserFactory.create(is_staff=True, is_superuser=True)
    client = sign_in(staff, FIREFOX)
    assert client.get(path).status_code == 200
    later(client, confirming.ADMIN_SECONDS)
    asked = client.get(path)
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert client.post(asked["Location"], {"password": PASSWORD, "next": path})["Location"] == path
    assert client.get(path).status_code == 200


def test_a_session_that_does_not_know_when_it_began_is_asked(user: User, signed_in: Client) -> None:
    session = signed_in.session
    del session[confirming.CONFIRMED]
    session.save()
    assert signed_in.post("/accounts/tokens/", {"name": "x", "lifetime": ""}).status_code == 302


def test_who_has_no_password_signs_in_again(user: User) -> None:
    user.set_unusable_password()
    user.save()
    client = Client()
    client.force_login(user)
    later(client, confirming.ACCOUNT_SECONDS)
    asked = client.post("/accounts/tokens/", {"name": "x", "lifetime": ""})
    assert asked["Location"].startswith("/accounts/sign-ins/again/")
    assert client.get(asked["Location"]).status_code == 200
    sent = client.post("/accounts/sign-ins/again/", {"next": "/accounts/tokens/"})
    assert sent["Location"] == "/accounts/login/?next=%2Faccounts%2Ftokens%2F"
    assert client.get("/").status_code == 302


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (PHONE, "Safari on iPhone"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("", "Unknown"),
    ],
)
def test_a_browser_is_named_as_its_owner_knows_it(agent: str, name: Any) -> None:
    assert described(agent) == name
