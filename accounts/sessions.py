"""Django's sessions in the database, read by a prepared SQL statement because every request reads one.

Each row names its person, who can see and end their sessions.
"""

import time
from typing import Any
from uuid import UUID

from django.contrib.auth import SESSION_KEY, get_user
from django.contrib.sessions.backends import db
from django.http import HttpRequest

from accounts.models import BrowserSession, User
from chatbot.core import sql

SELECT = "SELECT session_data FROM django_session WHERE session_key = %s AND expire_date > now()"

BEGAN = "began"
"""Entry of a session with the time and the browser of the sign-in."""

AGENT_MAX_CHARS = 200


class SessionStore(db.SessionStore):
    """Store of Django's database sessions, with their person."""

    @classmethod
    def get_model_class(cls) -> Any:
        """The model of sessions: `BrowserSession`."""
        return BrowserSession

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        """A row for the session's data, with its person."""
        session: Any = super().create_model_instance(data)
        try:
            session.user_id = UUID(data[SESSION_KEY])
        except (KeyError, ValueError):
            session.user_id = None
        return session

    def load(self) -> dict[str, Any]:
        """What the session holds; nothing where there is none. Causes a query."""
        # The ORM takes longer to build this statement than the database to run it.
        key = self.session_key or ""
        data = None
        # Any other key was made up; the database would refuse some of them with an error.
        if key.isalnum():
            data = sql.value(SELECT, [key])
        if data is None:
            self.forget_key()
            return {}
        return self.decode(data)

    def forget_key(self) -> None:
        """Get a new key when the session is stored: whoever made one up does not choose it.

        Django's own stores set `_session_key`, as of Django 6.1; there is no other way.
        """
        self._session_key = None


def is_signed_in(request: HttpRequest) -> bool:
    """Whether the request's session is still valid for its person, as the database has it now. Causes queries."""
    looked_at = HttpRequest()
    looked_at.session = SessionStore(request.session.session_key)
    return bool(get_user(looked_at) == request.user)


def note(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Record time and browser of the sign-in in the session."""
    agent = request.META.get("HTTP_USER_AGENT", "")[:AGENT_MAX_CHARS]
    request.session[BEGAN] = {"at": time.time(), "agent": agent}
