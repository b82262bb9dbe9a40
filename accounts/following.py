"""Handlers of signals: sign-in, verified address, reset password, end of a request. Importing it connects them."""

from typing import Any

from allauth.account import signals
from allauth.account.models import EmailAddress
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.signals import user_logged_in
from django.core.signals import request_finished
from django.http import HttpRequest

from accounts import addresses, confirming, notices, sessions
from accounts.models import User


def address_verified(sender: Any, request: HttpRequest, email_address: EmailAddress, **kwargs: Any) -> None:
    """Let the person sign in; the browser in which they changed the address stays signed in."""
    User.objects.filter(pk=email_address.user_id, awaits_verification=True).update(awaits_verification=False)
    if request.user.is_authenticated and request.user.pk == email_address.user_id:
        request.user.refresh_from_db()
        update_session_auth_hash(request, request.user)


def password_reset(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Verify the address, because the link came by mail."""
    addresses.verify(user)


def step_completed(sender: Any, request: HttpRequest, user: User, method: str, **kwargs: Any) -> None:
    """Record a repeated password as a confirmation, and a code from a mail as a verified address."""
    if kwargs.get("reauthenticated"):
        confirming.note(sender, request)
    if method == "code" and kwargs.get("email") == user.email:
        addresses.verify(user)


user_logged_in.connect(sessions.note, dispatch_uid="accounts.sessions.note")
user_logged_in.connect(confirming.note, dispatch_uid="accounts.confirming.note")
signals.authentication_step_completed.connect(step_completed, dispatch_uid="accounts.following.step_completed")
signals.email_confirmed.connect(address_verified, dispatch_uid="accounts.following.address_verified")
signals.password_reset.connect(password_reset, dispatch_uid="accounts.following.password_reset")
request_finished.connect(notices.finish, dispatch_uid="accounts.notices.finish")
