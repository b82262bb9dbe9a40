"""Who may send a large file: asked before anything of it is read."""

from importlib import import_module
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError, connections

PATH = "/import/"
REST_OF_FORM = 65_536
"""Bytes of the form around the file."""


def is_signed_in(scope: Any) -> bool:
    """Whether the request comes from somebody who has signed in, as far as the database can say. Blocks."""
    request = ASGIRequest(scope, BytesIO())
    store = import_module(settings.SESSION_ENGINE).SessionStore
    request.session = store(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    try:
        return get_user(request).is_authenticated
    except DatabaseError:
        return False
    finally:
        connections.close_all()
