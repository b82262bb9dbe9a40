"""Personal access tokens: a person creates one for a program, names it, and revokes it."""

import hashlib
import secrets
from datetime import datetime

from accounts import notices
from accounts.models import AccessToken, User

PREFIX = "chat_"
"""Prefix of these tokens, also for programs that search for leaked secrets."""

SECRET_BYTES = 32
BEGINNING = len(PREFIX) + 4
TOKENS_MAX = 50
"""Most access tokens of one person."""


def make(
    user: User, *, name: str, is_read_only: bool = False, expires_at: datetime | None = None
) -> tuple[AccessToken, str]:
    """Create a token; returns its row and its text, which is never shown again. Sends the person a mail."""
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
    """End the token, immediately and permanently."""
    token.delete()


def digest(text: str) -> str:
    """The stored hash of a token; one round is enough, because a long random text cannot be guessed."""
    return hashlib.sha256(text.encode()).hexdigest()
