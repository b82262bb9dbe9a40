"""Recent confirmations of identity, required before tokens are made and before the admin opens."""

import time
from typing import Any

from django.http import HttpRequest

CONFIRMED = "confirmed"
"""Key of the session with the time of the last sign-in or password entry."""

ACCOUNT_SECONDS = 15 * 60
ADMIN_SECONDS = 60 * 60


def note(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    """Record the current time as that of the confirmation."""
    request.session[CONFIRMED] = time.time()


def is_recent(request: HttpRequest, seconds: float) -> bool:
    """Whether the last confirmation is at most `seconds` old."""
    return bool(time.time() - request.session.get(CONFIRMED, 0) < seconds)
