"""Signed-in people with accounts, with requests as their browsers send them."""

from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.utils import timezone
from django.utils.crypto import get_random_string
from uuid_utils.compat import uuid7

from accounts.models import User


@dataclass(frozen=True, slots=True)
class Person:
    """A user, with the cookies and the form's token that a browser has after loading the page."""

    user: User
    session_key: str
    csrf_secret: str
    csrf_token: str

    @property
    def cookies(self) -> str:
        """The value of the Cookie header."""
        return f"{settings.SESSION_COOKIE_NAME}={self.session_key}; {settings.CSRF_COOKIE_NAME}={self.csrf_secret}"

    def post(self, path: str, message: str, *, port: int) -> bytes:
        """The request with which htmx sends a turn from the composer of the page at `path`."""
        body = urlencode({"csrfmiddlewaretoken": self.csrf_token, "turn": str(uuid7()), "message": message}).encode()
        lines = (
            f"POST {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Content-Length: {len(body)}",
            "Content-Type: application/x-www-form-urlencoded",
            "HX-Request: true",
            "HX-Trigger: composer",
            "HX-Target: main",
            f"HX-Current-URL: http://127.0.0.1:{port}{path}",
            f"Origin: http://127.0.0.1:{port}",
            f"Referer: http://127.0.0.1:{port}{path}",
            "Accept: */*",
            "Accept-Encoding: gzip, deflate, br, zstd",
            f"Cookie: {self.cookies}",
        )
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def get_stream(self, path: str, *, port: int) -> bytes:
        """The request with which a browser's `EventSource` opens a stream."""
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Accept: text/event-stream",
            "Accept-Encoding: gzip, deflate, br, zstd",
            "Cache-Control: no-cache",
            f"Referer: http://127.0.0.1:{port}/",
            f"Cookie: {self.cookies}",
        )
        return "\r\n".join(lines).encode() + b"\r\n\r\n"


def sign_in(count: int) -> list[Person]:
    """Store `count` new people, each with a session."""
    sessions: Any = import_module(settings.SESSION_ENGINE).SessionStore
    users = User.objects.bulk_create(
        User(email=f"{uuid7()}@example.org", password=make_password(None)) for _ in range(count)
    )
    people = [_person(user) for user in users]
    expires = timezone.now() + timedelta(days=1)
    model = sessions.get_model_class()
    model.objects.bulk_create(
        model(
            session_key=person.session_key,
            session_data=sessions().encode(
                {
                    SESSION_KEY: str(person.user.pk),
                    BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
                    HASH_SESSION_KEY: person.user.get_session_auth_hash(),
                }
            ),
            expire_date=expires,
        )
        for person in people
    )
    return people


def _person(user: User) -> Person:
    secret = get_random_string(32)
    request = HttpRequest()
    request.META["CSRF_COOKIE"] = secret
    return Person(user, get_random_string(32), secret, get_token(request))
