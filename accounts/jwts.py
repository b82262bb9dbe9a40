"""JSON Web Tokens, which authenticate a person to programs.

A token is signed with `JWT_SECRET` (HS256), by this site or by another that knows the secret; or by an identity
provider whose public keys are at `JWT_JWKS_URL` (RS256, ES256, EdDSA). The algorithm decides which of the two may have
signed it, so a public key is never taken for a secret.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
from django.conf import settings
from django.utils.crypto import salted_hmac

from accounts.jwks import KeyClient
from accounts.models import User
from chatbot.core.errors import Refusal
from chatbot.core.process import Part

SECRET_ALGORITHM = "HS256"  # noqa: S105 (an algorithm's name)
KEY_ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})

ACCESS_LIFETIME = timedelta(hours=1)
REFRESH_LIFETIME = timedelta(days=30)

LEEWAY = timedelta(seconds=30)
"""Largest accepted difference between the signer's clock and this machine's."""

KEYS_KEPT = timedelta(minutes=10)
KEYS_TIMEOUT_SECONDS = 3.0

USE, ACCESS, REFRESH = "token_use", "access", "refresh"
STAMP = "stamp"
"""Claim that ends this site's tokens when the password or address changes."""

PROGRAM = "program"
"""Claim with the key of the program's sign-in, the row of its refresh tokens."""


class InvalidToken(Refusal):
    """A token that authenticates nobody; the text says why, for the program's developer."""

    code = "invalid_token"


class KeysUnavailable(Refusal):
    """The identity provider's keys cannot be fetched now."""

    code = "unavailable"
    is_told = False


def issues() -> bool:
    """Whether this site issues tokens for a password, instead of an identity provider."""
    return bool(settings.JWT_SECRET or not settings.JWT_JWKS_URL)


def issue(user: User, *, use: str = ACCESS, program: UUID | None = None, name: str = "") -> str:
    """A token of this site for the person: for requests, or with `use=REFRESH` to get new tokens.

    It ends with the sign-in of its `program`; `name` distinguishes it from all others.
    """
    now = datetime.now(UTC)
    claims = {
        "sub": str(user.pk),
        "iat": now,
        "exp": now + (REFRESH_LIFETIME if use == REFRESH else ACCESS_LIFETIME),
        "jti": name or uuid4().hex,
        USE: use,
        STAMP: user.stamp,
    }
    if program:
        claims[PROGRAM] = str(program)
    if settings.JWT_ISSUER:
        claims["iss"] = settings.JWT_ISSUER
    if settings.JWT_AUDIENCE:
        claims["aud"] = settings.JWT_AUDIENCE
    return jwt.encode(claims, secret(), algorithm=SECRET_ALGORITHM)


def claims_of(token: str, *, use: str = ACCESS) -> dict[str, Any]:
    """The token's claims, after checks of signature, times, issuer and audience.

    Raises `InvalidToken`, `KeysUnavailable`. May request the identity provider's keys.
    """
    try:
        algorithm = str(jwt.get_unverified_header(token).get("alg"))
        claims: dict[str, Any] = jwt.decode(
            token,
            _key(token, algorithm),
            algorithms=[algorithm],
            leeway=LEEWAY,
            issuer=settings.JWT_ISSUER or None,
            audience=settings.JWT_AUDIENCE or None,
            options={"require": ["exp", settings.JWT_USER_CLAIM if use == ACCESS else "sub"]},
        )
    except jwt.PyJWKClientConnectionError as error:
        raise KeysUnavailable(str(error)) from error
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise InvalidToken(str(error)) from error
    if claims.get(USE, ACCESS) != use:
        raise InvalidToken(f"This token cannot be used for {use}.")
    return claims


def is_current(claims: dict[str, Any], user: User) -> bool:
    """Whether the person's password and address are unchanged since the token was issued.

    A token from another issuer has no stamp: then the time at which it was issued decides.
    """
    if STAMP in claims:
        return bool(claims[STAMP] == user.stamp)
    return user.stamped_at is None or claims.get("iat", 0) >= user.stamped_at.timestamp()


def secret() -> bytes:
    """The secret for signatures: `JWT_SECRET`, else one derived from the site's `SECRET_KEY`."""
    if settings.JWT_SECRET:
        return str(settings.JWT_SECRET).encode()
    return salted_hmac("accounts.jwts.secret", "", algorithm="sha256").digest()


def _key(token: str, algorithm: str) -> Any:
    """The key for a token with this algorithm. Raises `InvalidToken` for one that is not accepted."""
    if algorithm == SECRET_ALGORITHM and issues():
        return secret()
    if algorithm in KEY_ALGORITHMS and settings.JWT_JWKS_URL:
        return keys(settings.JWT_JWKS_URL).get_signing_key_from_jwt(token)
    raise InvalidToken("The token is signed with an algorithm that is not accepted.")


_clients = Part(dict[str, KeyClient])
"""Of each address, what has fetched the keys there."""


def keys(url: str) -> KeyClient:
    """The identity provider's keys, kept; an unknown one has them fetched again, at most every half a minute."""
    clients = _clients()
    if url not in clients:
        client = KeyClient(url, lifespan=KEYS_KEPT.total_seconds(), timeout=KEYS_TIMEOUT_SECONDS)
        # Another thread may have been here meanwhile.
        return clients.setdefault(url, client)
    return clients[url]
