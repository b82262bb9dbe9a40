"""The caller of the API: the person whom a bearer token authenticates."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F

from accounts import access_tokens, addresses, jwts, rates
from accounts.backends import AccountBackend, columns, find, select_with_program
from accounts.jwts import InvalidToken
from accounts.models import AccessToken, User
from accounts.rates import Rate

TOKEN_MAX_CHARS = 8_192


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, and what the token allows the program to do."""

    user: User
    subject: str
    """The name of the person within the token."""
    rate: Rate
    is_welcome: Callable[[], bool]
    """Function that tells whether the token is still valid; each call causes a query."""
    is_read_only: bool = False

    def is_called(self, name: str) -> bool:
        """Whether a name in a path means this person: the site's key, or the name in the token."""
        try:
            return UUID(name) == self.user.pk
        except ValueError:
            return name == self.subject


def identify(token: str) -> Caller:
    """The caller for a token; counts the request. Raises `InvalidToken`, `jwts.KeysUnavailable`. Causes queries."""
    if len(token) > TOKEN_MAX_CHARS:
        raise InvalidToken("The token is too long.")
    return _by_access_token(token) if token.startswith(access_tokens.PREFIX) else _by_jwt(token)


def _by_access_token(token: str) -> Caller:
    names, listed = columns()
    digest = access_tokens.digest(token)
    token_row = rates.count_token(digest, listed)
    if token_row is None:
        raise InvalidToken("The token does not exist or has expired.")
    key, is_read_only, rate, values = token_row
    user = User.from_db(connection.alias, names, values)

    def is_welcome() -> bool:
        kept = AccessToken.objects.filter(pk=key, user__is_active=True, user__stamp=F("stamp")).first()
        return kept is not None and not kept.is_expired

    return Caller(user, str(user.pk), rate, is_welcome, is_read_only)


def _by_jwt(token: str) -> Caller:
    user, subject = _person_of(token)

    def is_welcome() -> bool:
        try:
            return _person_of(token)[0] == user
        except InvalidToken:
            return False
        except jwts.KeysUnavailable:
            return True

    return Caller(user, subject, rates.count_person(user), is_welcome)


def _person_of(token: str) -> tuple[User, str]:
    """The person, and the name of the person in the token."""
    claims = jwts.claims_of(token)
    name = claims[settings.JWT_USER_CLAIM]
    user = _person(name, claims.get(jwts.PROGRAM), is_verified=is_true(claims.get("email_verified", True)))
    if user is None or not jwts.is_current(claims, user):
        raise InvalidToken("The token belongs to no active account of this site.")
    return user, str(claims.get("sub", name))


def is_true(claim: object) -> bool:
    """Whether the claim is true; some providers write it as text."""
    return claim is True or (isinstance(claim, str) and claim.strip().lower() == "true")


def _person(name: object, program: object, *, is_verified: bool) -> User | None:
    """The person with this key, or with this e-mail address if the token's provider has verified it.

    A token of this site also names its program, whose sign-in must still exist.
    """
    if not isinstance(name, str) or "\0" in name:
        return None
    if "@" in name:
        return addresses.owner(name) if is_verified else None
    try:
        if program is None:
            return AccountBackend().get_user(UUID(name))
        return find(*select_with_program(), [UUID(name), UUID(str(program))])
    except ValueError:
        return None
