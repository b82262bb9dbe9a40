"""Who speaks through the API: the person for whom a bearer token stands."""

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
    """A person, and what the token lets the program do for them."""

    user: User
    subject: str
    """The name that the token itself has for the person."""
    rate: Rate
    is_welcome: Callable[[], bool]
    """Whether the token still stands for the person. Causes a query."""
    is_read_only: bool = False

    def is_called(self, name: str) -> bool:
        """Whether a path that names a person means this one: by our key, or by the token's name."""
        try:
            return UUID(name) == self.user.pk
        except ValueError:
            return name == self.subject


def identify(token: str) -> Caller:
    """Whom the token stands for, the request counted. Raises `InvalidToken`, `jwts.KeysUnavailable`. Causes queries."""
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
    """The person, and how the token names them."""
    claims = jwts.claims_of(token)
    name = claims[settings.JWT_USER_CLAIM]
    user = _person(name, claims.get(jwts.PROGRAM), is_verified=is_true(claims.get("email_verified", True)))
    if user is None or not jwts.is_current(claims, user):
        raise InvalidToken("The token belongs to no active account of this site.")
    return user, str(claims.get("sub", name))


def is_true(claim: object) -> bool:
    """Whether the claim says yes: some providers write texts for `true` and `false`."""
    return claim is True or (isinstance(claim, str) and claim.strip().lower() == "true")


def _person(name: object, program: object, *, is_verified: bool) -> User | None:
    """The person with this key or, where the claim holds one that its provider has verified, this e-mail address.

    A token of this site names its program too, which has to be there still.
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
