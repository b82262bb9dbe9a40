"""A person's sign-ins: browsers, programs with the password, access tokens; and how to end each."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.agents import described
from accounts.models import AccessToken, BrowserSession, RefreshToken, User
from accounts.sessions import BEGAN, SessionStore


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser in which the person is signed in."""

    key: str
    """Identifies the session without giving access to it."""
    name: str
    began_at: datetime | None
    is_here: bool
    """Whether this browser sent the request."""


def browsers(user: User, session_key: str | None) -> list[Browser]:
    """The person's browsers: the one with this session first, then by time, latest first. Causes a query."""
    found = []
    store = SessionStore()
    for session in _sessions(user):
        data = store.decode(session.session_data)
        if not constant_time_compare(data.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()):
            continue
        began = data.get(BEGAN, {})
        began_at = datetime.fromtimestamp(began["at"], UTC) if began else None
        is_here = session.session_key == session_key
        found.append(Browser(_named(session), described(began.get("agent", "")), began_at, is_here))
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda browser: (browser.is_here, browser.began_at or oldest), reverse=True)


def end_browser(user: User, key: str) -> bool:
    """Sign the person out in a browser; returns whether it was found. Causes queries."""
    keys = [session.session_key for session in _sessions(user) if _named(session) == key]
    return BrowserSession.objects.filter(session_key__in=keys).delete()[0] > 0


def programs(user: User) -> list[RefreshToken]:
    """Programs signed in with the password, the last used first. Causes a query."""
    mine = RefreshToken.objects.filter(user=user, stamp=user.stamp, expires_at__gt=timezone.now())
    return list(mine.order_by("-last_used_at"))


def end_program(user: User, key: UUID) -> bool:
    """End the program's tokens; returns whether it was found. Causes a query."""
    return RefreshToken.objects.filter(user=user, pk=key).delete()[0] > 0


def tokens(user: User) -> list[AccessToken]:
    """Access tokens, the newest first, each with its person. Causes a query."""
    found: list[AccessToken] = list(AccessToken.objects.owned_by(user).newest_first())
    for token in found:
        token.user = user
    return found


def end_all(user: User) -> None:
    """Sign the person out everywhere: browsers, programs, and all tokens. Causes a query."""
    User.objects.filter(pk=user.pk).update(stamp=F("stamp") + 1)


def _sessions(user: User) -> list[BrowserSession]:
    return list(BrowserSession.objects.filter(user_id=user.pk, expire_date__gt=timezone.now()))


def _named(session: BrowserSession) -> str:
    return hashlib.sha256(session.session_key.encode()).hexdigest()[:32]
