"""Programs signed in with a password: each has a row that names its one valid refresh token.

A refresh token is used once. Its second use means that it was copied: then the program's sign-in ends, with all the
tokens that came of it.
"""

from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone

from accounts import jwts
from accounts.backends import columns, find
from accounts.jwts import InvalidToken
from accounts.models import RefreshToken, User
from accounts.sessions import AGENT_MAX_CHARS

PROGRAMS_MAX = 100
"""Most signed-in programs of one person; the one unused for longest is removed for a new one."""

RENEW = """
UPDATE accounts_refreshtoken AS kept SET newest = %(next)s, last_used_at = %(now)s, expires_at = %(expires)s
FROM accounts_user
WHERE kept.id = %(program)s AND kept.newest = %(used)s AND kept.stamp = accounts_user.stamp
    AND accounts_user.id = kept.user_id AND is_active
RETURNING
"""


def begin(user: User, *, agent: str) -> dict[str, str]:
    """Tokens for a program that has just presented the person's password."""
    name, now = uuid4().hex, timezone.now()
    mine = RefreshToken.objects.filter(user=user)
    mine.filter(expires_at__lte=now).delete()
    oldest = mine.order_by("-last_used_at").values("pk")[PROGRAMS_MAX - 1 :]
    mine.filter(pk__in=oldest).delete()
    program = RefreshToken.objects.create(
        user=user,
        newest=name,
        stamp=user.stamp,
        agent=agent.replace("\0", "")[:AGENT_MAX_CHARS],
        expires_at=now + jwts.REFRESH_LIFETIME,
    )
    return _pair(user, program.pk, name)


def renew(token: str) -> tuple[User, dict[str, str]]:
    """The person and new tokens for a refresh token, which becomes invalid. Raises `InvalidToken`.

    One statement finds, checks and replaces it, so of two simultaneous uses the second one fails.
    """
    claims = jwts.claims_of(token, use=jwts.REFRESH)
    try:
        program = UUID(claims[jwts.PROGRAM])
    except (KeyError, ValueError, AttributeError, TypeError):
        raise InvalidToken("The token does not belong to a sign-in.") from None
    names, listed = columns()
    now, name = timezone.now(), uuid4().hex
    values: dict[str, Any] = {"program": program, "used": str(claims.get("jti")), "next": name, "now": now}
    user = find(names, RENEW + listed, values | {"expires": now + jwts.REFRESH_LIFETIME})
    if user is None:
        RefreshToken.objects.filter(pk=program).delete()
        raise InvalidToken("The token was used before, or its sign-in has ended. Sign in with the password again.")
    return user, _pair(user, program, name)


def _pair(user: User, program: UUID, name: str) -> dict[str, str]:
    return {
        "access_token": jwts.issue(user, program=program),
        "refresh_token": jwts.issue(user, use=jwts.REFRESH, program=program, name=name),
    }
