"""Who may send a large file: asked before anything of it is read."""

from importlib import import_module
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.asgi import ASGIRequest
from django.db import connections

from accounts import addresses
from accounts.models import User

PATH = "/import/"
REST_OF_FORM = 65_536
"""Bytes of the form around the file."""


def may_import(scope: Any) -> bool:
    """Whether the request comes from somebody who has signed in and may import, as the database says. Blocks."""
    request = ASGIRequest(scope, BytesIO())
    store = import_module(settings.SESSION_ENGINE).SessionStore
    request.session = store(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    try:
        person = get_user(request)
        return isinstance(person, User) and not addresses.has_to_verify(person)
    finally:
        connections.close_all()
