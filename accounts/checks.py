"""System checks of settings that would admit the wrong people."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from accounts import mail

SECRET_LEAST_BYTES = 32


@register()
def tokens_are_safe(**kwargs: Any) -> list[CheckMessage]:
    """Check that the secret is long, and the audience set: else another site's token would be valid here."""
    found: list[CheckMessage] = []
    if settings.JWT_SECRET and len(settings.JWT_SECRET.encode()) < SECRET_LEAST_BYTES:
        hint = 'python -c "import secrets; print(secrets.token_urlsafe(48))" makes one.'
        found.append(Error("JWT_SECRET has fewer than 32 characters.", hint=hint, id="accounts.E001"))
    if settings.JWT_JWKS_URL and not (settings.JWT_ISSUER and settings.JWT_AUDIENCE):
        hint = "Set JWT_ISSUER and JWT_AUDIENCE to what the identity provider writes into the tokens for this site."
        found.append(Error("JWT_JWKS_URL is set without JWT_ISSUER and JWT_AUDIENCE.", hint=hint, id="accounts.E002"))
    return found


@register(Tags.security, deploy=True)
def mail_reaches_people(**kwargs: Any) -> list[CheckMessage]:
    """Check that mail can be sent: without it, only an administrator can reset a forgotten password."""
    if mail.works():
        return []
    hint = "Set it to your mail server, such as smtp+tls://user:password@mail.example.org:587."
    return [Warning("EMAIL_URL is not set: nobody can reset a password by mail.", hint=hint, id="accounts.W001")]
