"""Permission to send a large file, checked before any of it is read."""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.db import connections
from django.http import HttpRequest, parse_cookie

from accounts import addresses
from accounts.models import User

PATH = "/import/"
REST_OF_FORM = 65_536
"""Bytes of the form besides the file."""


def may_import(scope: Any) -> bool:
    """Whether the request is by a signed-in person who may import, according to the database. Blocks."""
    cookies = parse_cookie("; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"))
    asking = HttpRequest()
    asking.session = import_module(settings.SESSION_ENGINE).SessionStore(cookies.get(settings.SESSION_COOKIE_NAME))
    try:
        person = get_user(asking)
        return isinstance(person, User) and not addresses.has_to_verify(person)
    finally:
        connections.close_all()
