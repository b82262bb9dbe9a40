"""Rate limits of programs, counted in the database over all processes."""

from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

from accounts.models import User
from chatbot.core import sql
from chatbot.core.database import WITHOUT_WAITING

PERIOD_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Rate:
    """The state of a token's current minute, including this request."""

    requests: int
    reset: int
    """Seconds until the next minute begins."""

    @property
    def limit(self) -> int:
        """Requests allowed in a minute."""
        limit: int = settings.API_REQUESTS_PER_MINUTE
        return limit

    @property
    def is_over(self) -> bool:
        """Whether this request exceeds the limit."""
        return self.requests > self.limit

    @property
    def headers(self) -> dict[str, str]:
        """Headers that tell a program about the limit."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(0, self.limit - self.requests)),
            "RateLimit-Reset": str(self.reset),
        }


def count_person(user: User) -> Rate:
    """Count a request with a token that is not stored. Causes a query."""
    window = counted("kept.began_at", "kept.requests")
    return sql.only(
        Rate,
        f"""
        INSERT INTO accounts_requestwindow AS kept (user_id, began_at, requests)
        SELECT %(user)s, statement_timestamp(), 1 FROM {WITHOUT_WAITING}
        ON CONFLICT (user_id) DO UPDATE SET began_at = {window["began_at"]}, requests = {window["requests"]}
        RETURNING requests, {reset("kept.began_at")}
        """,  # noqa: S608 (constants)
        {"user": user.pk, "period": PERIOD_SECONDS},
    )


class CountedToken(NamedTuple):
    """A personal access token with which a program asks."""

    key: UUID
    is_read_only: bool
    rate: Rate
    person: tuple[Any, ...]
    """The columns that were asked for."""


def count_token(digest: str, columns: str) -> CountedToken | None:
    """Count a request with the personal access token of this digest, and record its use. Causes a query.

    Returns it with these columns of its person; None when there is no such token, it has expired, or its person may not
    sign in or has changed password or address since.
    """
    window = counted("token.window_began_at", "token.requests")
    return sql.first(
        _counted_token,
        f"""
        UPDATE accounts_accesstoken AS token
        SET last_used_at = statement_timestamp(), window_began_at = {window["began_at"]},
            requests = {window["requests"]}
        FROM accounts_user, {WITHOUT_WAITING}
        WHERE token.digest = %(digest)s AND accounts_user.id = token.user_id AND is_active
            AND token.stamp = accounts_user.stamp
            AND (token.expires_at IS NULL OR token.expires_at > statement_timestamp())
        RETURNING token.id, token.is_read_only, token.requests, {reset("token.window_began_at")}, {columns}
        """,  # noqa: S608 (constants, and the model's own names)
        {"digest": digest, "period": PERIOD_SECONDS},
    )


def _counted_token(key: UUID, is_read_only: Any, requests: int, reset: int, *person: Any) -> CountedToken:
    return CountedToken(key, is_read_only, Rate(requests, reset), person)


def counted(began_at: str, requests: str) -> dict[str, str]:
    """SQL of the window's columns after one more request; an expired window starts anew."""
    goes_on = f"{began_at} > statement_timestamp() - make_interval(secs => %(period)s)"
    return {
        "began_at": f"CASE WHEN {goes_on} THEN {began_at} ELSE statement_timestamp() END",
        "requests": f"CASE WHEN {goes_on} THEN {requests} + 1 ELSE 1 END",
    }


def reset(began_at: str) -> str:
    """SQL of the whole seconds until a window that began at this time ends."""
    return f"ceil(extract(epoch FROM {began_at} - statement_timestamp()) + %(period)s)::int"
