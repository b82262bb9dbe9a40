"""Signing up, in, and resetting tell nobody who has an account; guessing locks no owner out; an address is verified."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from accounts import access_tokens, addresses, callers, jwts
from accounts.jwts import InvalidToken
from accounts.models import AccessToken, User
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

type Answer = Any
"""What the test client is answered."""

ADA, NEW = "ada@example.org", "new@example.org"
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.7"


@pytest.fixture(autouse=True)
def no_attempts(db: None) -> None:
    """Nobody has tried to sign in yet."""
    cache.clear()


@pytest.fixture(autouse=True)
def verifying(settings: Settings) -> None:
    """A site that sends mail and has people verify their addresses."""
    settings.VERIFY_EMAIL, settings.ACCOUNT_EMAIL_VERIFICATION = True, "mandatory"


@pytest.fixture
def ada() -> User:
    """Somebody with an account and a verified address."""
    user = UserFactory.create(email=ADA)
    addresses.verify(user)
    return user


def sign_up(email: str, client: Client | None = None) -> Answer:
    return (client or Client()).post("/accounts/signup/", {"email": email, "password1": PASSWORD}, follow=True)


def sign_in(email: str, password: str = PASSWORD, *, at: str = HERE, client: Client | None = None) -> Answer:
    data = {"login": email, "password": password}
    return (client or Client()).post("/accounts/login/", data, REMOTE_ADDR=at)


def link(message: mail.EmailMessage) -> str:
    found = re.search(r"http://testserver(/accounts/(?:confirm-email|password/reset/key)/\S+)", str(message.body))
    assert found
    return found[1]


def seen(answer: Answer, email: str) -> tuple[int, list[str], str, list[str]]:
    """What the answer tells: status, the ways it led, its text without the address, its cookies."""
    ways = [way for way, _ in getattr(answer, "redirect_chain", [])]
    text = re.sub(r"\b\w{64}\b", "", answer.content.decode())
    return answer.status_code, ways, text.replace(email, "…"), sorted(answer.cookies)


def ask_reset(email: str) -> Answer:
    return Client().post("/accounts/password/reset/", {"email": email}, follow=True)


def ask_code(email: str) -> Answer:
    return Client().post("/accounts/login/code/", {"email": email}, follow=True)


@pytest.mark.parametrize("ask", [sign_up, ask_reset, ask_code, sign_in])
def test_it_looks_the_same_with_an_account_and_without(ada: User, ask: Callable[..., Answer]) -> None:
    mail.outbox.clear()
    args = ["wrong"] if ask is sign_in else []
    assert seen(ask(ADA, *args), ADA) == seen(ask("nobody@example.org", *args), "nobody@example.org")
    assert sorted(message.to[0] for message in mail.outbox) == ([] if ask is sign_in else [ADA, "nobody@example.org"])


def test_signing_up_hashes_a_password_whether_there_is_an_account_or_not(
    ada: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.auth.hashers import MD5PasswordHasher

    made = list[str]()
    encode = MD5PasswordHasher.encode

    def note(self: MD5PasswordHasher, password: str, salt: str) -> str:
        made.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", note)
    counts = []
    for email in (ADA, NEW):
        made.clear()
        sign_up(email)
        counts.append(len(made))
    assert counts == [1, 1]


def test_whoever_signed_up_cannot_sign_in_before_the_link(ada: User) -> None:
    """Else signing up and trying to sign in would tell."""
    sign_up(ADA)
    sign_up(NEW)
    assert seen(sign_in(ADA, "another"), ADA) == seen(sign_in(NEW), NEW)
    for email, password in ((ADA, "another"), (NEW, PASSWORD)):
        answer = Client().post("/api/token", {"email": email, "password": password}, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (401, "wrong_credentials")


def test_the_link_signs_up_and_signs_in_where_it_was_asked_for() -> None:
    client = Client()
    sign_up(NEW, client)
    (message,) = mail.outbox
    assert client.get("/").status_code == 302
    page = client.get(link(message))
    assert "Confirm your address" in page.content.decode()
    assert client.post(link(message))["Location"] == "/"
    assert client.get("/").status_code == 200
    assert addresses.is_verified(User.objects.get())
    assert sign_in(NEW).status_code == 302


def test_a_reset_signs_up_as_well_and_shuts_out_who_signed_up() -> None:
    sign_up(NEW)
    ask_reset(NEW)
    client = Client()
    path = client.get(link(mail.outbox[-1]), follow=True).redirect_chain[-1][0]
    client.post(path, {"password1": "a quite different sentence", "password2": "a quite different sentence"})
    assert sign_in(NEW).status_code == 200
    assert sign_in(NEW, "a quite different sentence").status_code == 302
    assert addresses.is_verified(User.objects.get())


def test_who_could_sign_in_before_still_can() -> None:
    UserFactory.create(email=ADA)
    assert sign_in(ADA).status_code == 302


def test_wrong_guesses_lock_only_the_place_they_come_from(ada: User) -> None:
    refused = [sign_in(ADA, "wrong", at=ELSEWHERE).content.decode() for _ in range(6)]
    assert "Too many" not in refused[4]
    assert "Too many" in refused[5]
    assert "Too many" in sign_in(ADA, at=ELSEWHERE).content.decode()
    assert sign_in(ADA, at=HERE).status_code == 302


def test_wrong_guesses_at_one_account_lock_no_other_there(ada: User, user: User) -> None:
    for _ in range(5):
        sign_in(ADA, "wrong")
    assert "Too many" in sign_in(ADA).content.decode()
    assert sign_in(user.email).status_code == 302


def test_guesses_from_everywhere_come_to_an_end(ada: User, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"login_failed_anywhere": "3/h/key"}
    for number in range(3):
        assert "Too many" not in sign_in(ADA, "wrong", at=f"203.0.113.{number}").content.decode()
    assert "Too many" in sign_in(ADA, "wrong", at="203.0.113.9").content.decode()


def test_right_passwords_count_for_nothing(ada: User, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"login_failed_anywhere": "3/h/key"}
    assert {sign_in(ADA).status_code for _ in range(7)} == {302}


def test_whoever_is_locked_out_gets_in_by_mail(ada: User) -> None:
    for _ in range(6):
        said = sign_in(ADA, "wrong").content.decode()
    assert "code that is sent to you" in said
    assert 'href="/accounts/login/code/"' in said
    client = Client()
    mail.outbox.clear()
    page = client.post("/accounts/login/code/", {"email": ADA}, follow=True, REMOTE_ADDR=HERE)
    assert page.status_code == 200
    code = re.search(r"\n\n([A-Z0-9-]{6,})\n\n", str(mail.outbox[0].body))
    assert code
    assert client.post("/accounts/login/code/confirm/", {"code": code[1]}, REMOTE_ADDR=HERE)["Location"] == "/"
    assert client.get("/").status_code == 200


def test_a_code_by_mail_verifies_the_address(user: User) -> None:
    client = Client()
    client.post("/accounts/login/code/", {"email": user.email})
    code = re.search(r"\n\n([A-Z0-9-]{6,})\n\n", str(mail.outbox[0].body))
    assert code
    client.post("/accounts/login/code/confirm/", {"code": code[1]})
    assert addresses.is_verified(user)


def test_wrong_passwords_of_programs_do_not_lock_the_page(ada: User) -> None:
    client = Client()
    for password in ("wrong",) * 12:
        answer = client.post("/api/token", {"email": ADA, "password": password}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
    assert sign_in(ADA, at="127.0.0.1").status_code == 302


def test_wrong_passwords_on_the_page_do_not_lock_programs(ada: User) -> None:
    for _ in range(12):
        sign_in(ADA, "wrong", at="127.0.0.1")
    answer = Client().post("/api/token", {"email": ADA, "password": PASSWORD}, content_type="application/json")
    assert answer.status_code == 200


def test_an_address_is_verified_before_tokens_and_imports(signed_in: Client, user: User) -> None:
    _, older = access_tokens.make(user, name="Older")
    mail.outbox.clear()
    for page in ("/accounts/tokens/", "/import/"):
        shown = signed_in.get(page).content.decode()
        assert "Send me the link" in shown
    assert signed_in.post("/accounts/tokens/", {"name": "New", "lifetime": ""}).status_code == 403
    assert AccessToken.objects.count() == 1
    file = SimpleUploadedFile("export.json", b"{}", "application/json")
    assert signed_in.post("/import/", {"file": file}).status_code == 403
    asked = Client().post("/api/token", {"email": user.email, "password": PASSWORD}, content_type="application/json")
    assert (asked.status_code, asked.json()["code"]) == (403, "email_not_verified")
    assert callers.identify(older).user == user
    signed_in.post("/accounts/email/", {"email": user.email, "action_send": ""})
    signed_in.post(link(mail.outbox[0]))
    assert signed_in.get("/").status_code == 200
    assert signed_in.post("/accounts/tokens/", {"name": "New", "lifetime": ""}).status_code == 200
    asked = Client().post("/api/token", {"email": user.email, "password": PASSWORD}, content_type="application/json")
    assert asked.status_code == 200


def test_a_provider_that_names_an_address_finds_only_who_has_verified_it(user: User, settings: Settings) -> None:
    """Somebody else may have signed up with it, to read what its owner's programs write."""
    settings.JWT_USER_CLAIM = "email"
    claims = {"email": user.email, "sub": "auth0|7", "exp": datetime.now(UTC) + timedelta(hours=1)}
    token = jwt.encode(claims, jwts.secret(), algorithm="HS256")
    with pytest.raises(InvalidToken):
        callers.identify(token)
    addresses.verify(user)
    assert callers.identify(token).user == user


def test_an_address_is_changed_by_a_link_that_goes_to_the_new_one(ada: User) -> None:
    here, elsewhere = Client(), Client()
    for client in (here, elsewhere):
        client.force_login(ada)
    here.post("/accounts/email/", {"email": NEW, "action_add": ""})
    (message,) = mail.outbox
    assert message.to == [NEW]
    ada.refresh_from_db()
    assert ada.email == ADA
    assert here.get("/accounts/email/").status_code == 200
    here.post(link(message))
    ada.refresh_from_db()
    assert (ada.email, addresses.is_verified(ada)) == (NEW, True)
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302
    assert {to for message in mail.outbox[1:] for to in message.to} == {ADA, NEW}
    assert sign_in(ADA).status_code == 200


@pytest.mark.parametrize("action", ["action_primary", "action_remove"])
@pytest.mark.parametrize("email", [ADA, NEW])
def test_no_address_becomes_the_accounts_without_a_link(user: User, action: str, email: str) -> None:
    User.objects.filter(pk=user.pk).update(email=ADA)
    user.refresh_from_db()
    client = Client()
    client.force_login(user)
    client.post("/accounts/email/", {"email": NEW, "action_add": ""})
    client.post("/accounts/email/", {"email": email, action: ""})
    user.refresh_from_db()
    assert user.email == ADA
    assert EmailAddress.objects.filter(user=user, email=ADA).exists()
    assert not addresses.is_verified(user)


def test_an_address_that_somebody_took_meanwhile_stays_theirs(ada: User) -> None:
    client = Client()
    client.force_login(ada)
    client.post("/accounts/email/", {"email": NEW, "action_add": ""})
    other = UserFactory.create(email=NEW)
    assert client.post(link(mail.outbox[0])).status_code in {200, 302}
    ada.refresh_from_db()
    other.refresh_from_db()
    assert (ada.email, other.email) == (ADA, NEW)


def test_an_address_that_is_wanted_does_not_keep_its_owner_out(ada: User) -> None:
    client = Client()
    client.force_login(ada)
    client.post("/accounts/email/", {"email": NEW, "action_add": ""})
    mail.outbox.clear()
    sign_up(NEW)
    assert User.objects.filter(email=NEW).exists()
    ask_reset(NEW)
    client = Client()
    path = client.get(link(mail.outbox[-1]), follow=True).redirect_chain[-1][0]
    client.post(path, {"password1": "a quite different sentence", "password2": "a quite different sentence"})
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)
    assert sign_in(NEW, "a quite different sentence").status_code == 302
