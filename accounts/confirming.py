"""Whether the person has shown a moment ago that it is them: before tokens are made and before the admin opens."""

import time
from typing import Any

from django.http import HttpRequest

CONFIRMED = "confirmed"
"""The session's entry that says when: with a sign-in, or by the password since."""

ACCOUNT_SECONDS = 15 * 60
ADMIN_SECONDS = 60 * 60


def note(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    """Write down that it is them, now."""
    request.session[CONFIRMED] = time.time()


def is_recent(request: HttpRequest, seconds: float) -> bool:
    """Whether they have shown it within so many seconds."""
    return bool(time.time() - request.session.get(CONFIRMED, 0) < seconds)
