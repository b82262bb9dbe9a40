"""Who speaks through the API: the person for whom a bearer token stands."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from accounts import jwts
from accounts.backends import AccountBackend
from accounts.jwts import InvalidToken
from accounts.models import User

TOKEN_MAX_CHARS = 8_192


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, and what the token lets the program do for them."""

    user: User
    subject: str
    """The name that the token itself has for the person."""
    is_welcome: Callable[[], bool]
    """Whether the token still stands for the person. Causes a query."""
    token: UUID | None = None
    """The personal access token's key, if it is one."""
    is_read_only: bool = False

    def is_called(self, name: str) -> bool:
        """Whether a path that names a person means this one: by our key, or by the token's name."""
        try:
            return UUID(name) == self.user.pk
        except ValueError:
            return name == self.subject


def identify(token: str) -> Caller:
    """Whom the token stands for. Raises `InvalidToken`, `jwts.KeysUnavailable`. Causes a query."""
    if len(token) > TOKEN_MAX_CHARS:
        raise InvalidToken("The token is too long.")
    claims = jwts.claims_of(token)
    name = claims[settings.JWT_USER_CLAIM]
    user = _person(name, is_verified=claims.get("email_verified", True) is True)
    if user is None or not jwts.fits_password(claims, user):
        raise InvalidToken("The token stands for nobody who may sign in here.")

    def is_welcome() -> bool:
        try:
            return identify(token).user == user
        except InvalidToken:
            return False
        except jwts.KeysUnavailable:
            return True

    return Caller(user, str(claims.get("sub", name)), is_welcome)


def _person(name: object, *, is_verified: bool) -> User | None:
    """The person with this key or, where the claim holds one that its provider has verified, this e-mail address."""
    if not isinstance(name, str) or "\0" in name:
        return None
    if "@" in name:
        found: User | None = User.objects.filter(email=name, is_active=True).first() if is_verified else None
        return found
    try:
        return AccountBackend().get_user(UUID(name))
    except ValueError:
        return None
