"""Personal access tokens: a person makes one for a program, names it, and revokes it."""

import hashlib
import secrets
from datetime import datetime

from accounts import notices
from accounts.models import AccessToken, User

PREFIX = "chat_"
"""Tells these tokens from others, for programs that look for leaked secrets too."""

SECRET_BYTES = 32
BEGINNING = len(PREFIX) + 4
TOKENS_MAX = 50
"""Tokens of one person."""


def make(
    user: User, *, name: str, is_read_only: bool = False, expires_at: datetime | None = None
) -> tuple[AccessToken, str]:
    """A new token; its text is given here and never again. The person gets a mail."""
    text = f"{PREFIX}{secrets.token_urlsafe(SECRET_BYTES)}"
    token = AccessToken.objects.create(
        user=user,
        name=name,
        digest=digest(text),
        beginning=text[:BEGINNING],
        stamp=user.stamp,
        is_read_only=is_read_only,
        expires_at=expires_at,
    )
    notices.send(user.email, "token_made", {"token": token})
    return token, text


def revoke(token: AccessToken) -> None:
    """End the token, at once and for good."""
    token.delete()


def digest(text: str) -> str:
    """What is kept of a token. It is as long as it is random, so one round does: there is nothing to guess."""
    return hashlib.sha256(text.encode()).hexdigest()
