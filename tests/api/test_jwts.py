"""Whom a JSON Web Token stands for, and which ones stand for nobody."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from queue import Queue
from threading import Thread
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.checks import run_checks
from django.db import connection
from pytest_django import Settings

from accounts import callers, jwts
from accounts.jwts import InvalidToken, KeysUnavailable
from accounts.models import User
from tests.api.identity import AUDIENCE, ISSUER, IdentityProvider
from tests.support.post_office import PostOffice

pytestmark = pytest.mark.django_db

SECRET = "a secret that is long enough to sign tokens with"
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def keys() -> IdentityProvider:
    return IdentityProvider()


@pytest.fixture
def identity(keys: IdentityProvider, settings: Settings) -> Iterator[IdentityProvider]:
    """The site's identity provider."""
    with keys.serving():
        settings.JWT_JWKS_URL, settings.JWT_ISSUER, settings.JWT_AUDIENCE = keys.url, ISSUER, AUDIENCE
        yield keys
    keys.published = {name: name for name in keys.private}


def signed(secret: str | bytes = SECRET, *, algorithm: str = "HS256", **claims: Any) -> str:
    return jwt.encode({"exp": datetime.now(UTC) + HOUR} | claims, secret, algorithm=algorithm)


def part(fields: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=").decode()


def refused(token: str) -> None:
    with pytest.raises(InvalidToken):
        callers.identify(token)


def test_a_token_of_this_site_stands_for_its_person(user: User) -> None:
    caller = callers.identify(jwts.issue(user))
    assert caller.user == user
    assert caller.is_called(str(user.pk))
    assert caller.is_called(str(user.pk).upper())
    assert not caller.is_called(str(uuid4()))
    assert caller.is_welcome()


def test_whoever_knows_the_secret_may_sign(user: User, settings: Settings) -> None:
    settings.JWT_SECRET = SECRET
    assert callers.identify(signed(sub=str(user.pk))).user == user
    refused(signed("another secret that is long enough to sign", sub=str(user.pk)))
    refused(signed(SECRET * 2, algorithm="HS512", sub=str(user.pk)))


def test_nothing_is_signed_with_an_empty_secret(user: User) -> None:
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        refused(signed("x", sub=str(user.pk)))


def test_an_unsigned_token_stands_for_nobody(user: User) -> None:
    claims = {"sub": str(user.pk), "exp": 4_000_000_000}
    for name in ("none", "None", "NONE", "", None, 5, ["none"]):
        refused(f"{part({'alg': name, 'typ': 'JWT'})}.{part(claims)}.")
    refused(f"{part({'typ': 'JWT'})}.{part(claims)}.")


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b.c", "x" * 10_000, "\N{SNOWMAN}.a.b", "eyJhbGciOiJIUzI1NiJ9.e30."]
)
def test_nonsense_stands_for_nobody(token: str) -> None:
    refused(token)


def test_a_forged_or_cut_token_stands_for_nobody(user: User, stranger: User) -> None:
    head, body, signature = jwts.issue(user).split(".")
    _, others, _ = jwts.issue(stranger).split(".")
    refused(f"{head}.{others}.{signature}")
    refused(f"{head}.{body}.{signature[:-2]}")
    refused(f"{head}.{body}.")


def test_clocks_may_differ_by_half_a_minute(user: User, settings: Settings) -> None:
    settings.JWT_SECRET = SECRET
    now = datetime.now(UTC)
    seconds = timedelta(seconds=10)
    assert callers.identify(signed(sub=str(user.pk), exp=now - seconds)).user == user
    assert callers.identify(signed(sub=str(user.pk), nbf=now + seconds)).user == user
    refused(signed(sub=str(user.pk), exp=now - 6 * seconds))
    refused(signed(sub=str(user.pk), nbf=now + 6 * seconds))


def test_a_token_has_to_end_and_to_name_somebody(user: User, settings: Settings) -> None:
    settings.JWT_SECRET = SECRET
    refused(jwt.encode({"sub": str(user.pk)}, SECRET, algorithm="HS256"))
    refused(signed())
    for sub in (str(uuid4()), "nobody", "", "a\0b", "nobody@example.org"):
        refused(signed(sub=sub))


def test_a_token_for_another_site_is_refused(user: User, settings: Settings) -> None:
    settings.JWT_SECRET = SECRET
    refused(signed(sub=str(user.pk), aud="elsewhere"))
    settings.JWT_ISSUER, settings.JWT_AUDIENCE = ISSUER, AUDIENCE
    right: dict[str, Any] = {"sub": str(user.pk), "iss": ISSUER, "aud": ["other", AUDIENCE]}
    assert callers.identify(signed(**right)).user == user
    for name, wrong in (("aud", "elsewhere"), ("iss", "https://evil.example/")):
        refused(signed(**(right | {name: wrong})))
        refused(signed(**{other: value for other, value in right.items() if other != name}))


def test_a_refresh_token_opens_nothing(user: User) -> None:
    refused(jwts.issue(user, use=jwts.REFRESH))
    with pytest.raises(InvalidToken):
        jwts.claims_of(jwts.issue(user), use=jwts.REFRESH)


def test_a_changed_password_ends_tokens(user: User) -> None:
    token = jwts.issue(user)
    caller = callers.identify(token)
    user.set_password("another battery staple")
    user.save(update_fields=("password",))
    refused(token)
    assert not caller.is_welcome()


def test_an_account_that_is_not_active_has_no_tokens(user: User) -> None:
    token = jwts.issue(user)
    user.is_active = False
    user.save(update_fields=("is_active",))
    refused(token)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_an_identity_providers_token_stands_for_its_subject(
    user: User, identity: IdentityProvider, algorithm: str
) -> None:
    assert callers.identify(identity.token(algorithm, sub=str(user.pk))).user == user
    refused(identity.token(algorithm, sub=str(user.pk), aud="elsewhere"))
    refused(identity.token(algorithm, sub=str(user.pk), iss="https://evil.example/"))


def test_a_public_key_is_no_secret(user: User, identity: IdentityProvider, settings: Settings) -> None:
    public = identity.private["RS256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    # The library refuses to sign with such a key; a forger's does not.
    claims = {"sub": str(user.pk), "exp": 4_000_000_000, "iss": ISSUER, "aud": AUDIENCE}
    body = f"{part({'alg': 'HS256', 'kid': 'RS256'})}.{part(claims)}"
    mark = base64.urlsafe_b64encode(hmac.digest(public, body.encode(), hashlib.sha256)).rstrip(b"=").decode()
    refused(f"{body}.{mark}")
    settings.JWT_SECRET = SECRET
    refused(f"{body}.{mark}")


def test_a_key_of_another_kind_does_not_fit(user: User, identity: IdentityProvider) -> None:
    refused(identity.token("RS256", kid="ES256", sub=str(user.pk)))
    refused(identity.token("ES256", kid="RS256", sub=str(user.pk)))
    refused(identity.token("RS256", key=IdentityProvider().private["RS256"], sub=str(user.pk)))


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR 1=1 --", "http://evil.example/keys", "", "x" * 4_000])
def test_a_made_up_key_name_finds_no_key(user: User, identity: IdentityProvider, kid: str) -> None:
    token = identity.token(sub=str(user.pk), kid=kid or " ")
    asked = identity.asked
    for _ in range(5):
        refused(token)
    # Nor does it make the site ask again and again.
    assert identity.asked <= asked + 1


def test_a_key_inside_the_token_is_not_used(user: User, keys: IdentityProvider, identity: IdentityProvider) -> None:
    own = IdentityProvider()
    head = {
        "kid": "mine",
        "jwk": own.keys()["keys"][0],
        "jku": "http://evil.example/keys",
        "x5u": "http://evil.example",
    }
    claims = {"sub": str(user.pk), "iss": ISSUER, "aud": AUDIENCE, "exp": datetime.now(UTC) + HOUR}
    refused(jwt.encode(claims, own.private["RS256"], algorithm="RS256", headers=head))


def test_a_new_key_of_the_provider_is_found(
    user: User, identity: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callers.identify(identity.token(sub=str(user.pk))).user == user
    monkeypatch.setattr(jwts.keys(identity.url), "cooldown_duration", 0)
    identity.published = {"new": "RS256"}
    assert callers.identify(identity.token(sub=str(user.pk), kid="new")).user == user


def test_without_the_providers_keys_nobody_knows(user: User, keys: IdentityProvider, settings: Settings) -> None:
    settings.JWT_ISSUER, settings.JWT_AUDIENCE = ISSUER, AUDIENCE
    settings.JWT_JWKS_URL = "http://127.0.0.1:9/keys"
    with pytest.raises(KeysUnavailable):
        callers.identify(keys.token(sub=str(user.pk)))


def test_keys_of_megabytes_are_none(user: User, identity: IdentityProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    published = identity.keys
    monkeypatch.setattr(identity, "keys", lambda: published() | {"more": "x" * 2_000_000})
    with pytest.raises(KeysUnavailable):
        callers.identify(identity.token(sub=str(user.pk)))


def test_while_the_provider_is_away_one_request_waits_for_it(user: User, identity: IdentityProvider) -> None:
    asked, identity.is_away = identity.asked, True
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            callers.identify(identity.token(sub=str(user.pk)))
    identity.is_away = False
    assert identity.asked == asked + 1


def test_a_mute_provider_holds_one_request_and_no_other(
    user: User, keys: IdentityProvider, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwts, "KEYS_TIMEOUT_SECONDS", 300.0)
    token, refusals = keys.token(sub=str(user.pk)), Queue[BaseException]()

    def ask() -> None:
        try:
            callers.identify(token)
        except KeysUnavailable as error:
            refusals.put(error)
        finally:
            connection.close()

    with PostOffice(is_mute=True) as mute:
        settings.JWT_JWKS_URL = f"http://127.0.0.1:{mute.port}/keys"
        asking = [Thread(target=ask, daemon=True) for _ in range(4)]
        for thread in asking:
            thread.start()
        for _ in asking[1:]:
            refusals.get(timeout=60)
        # The server hangs up only now.
    refusals.get(timeout=60)


def test_a_claim_may_name_the_person_by_address(user: User, identity: IdentityProvider, settings: Settings) -> None:
    settings.JWT_USER_CLAIM = "email"
    caller = callers.identify(identity.token(sub="auth0|7", email=user.email.upper()))
    assert caller.user == user
    assert caller.is_called("auth0|7")
    for yes in (True, "true", "True"):
        assert callers.identify(identity.token(sub="auth0|7", email=user.email, email_verified=yes)).user == user
    no: object
    for no in (False, "false", "False", "", "no", 0, 1, [True], {}):
        refused(identity.token(sub="auth0|7", email=user.email, email_verified=no))
    refused(identity.token(sub=str(user.pk)))


def test_a_site_that_could_be_fooled_does_not_start(settings: Settings) -> None:
    settings.JWT_SECRET = "too short"
    settings.JWT_JWKS_URL = "https://id.example.org/keys"
    assert {error.id for error in run_checks()} >= {"accounts.E001", "accounts.E002"}
