"""CORS: which other sites' pages may use the API in a browser."""

from typing import Any
from urllib.parse import urlsplit

from corsheaders.middleware import ACCESS_CONTROL_ALLOW_HEADERS, CorsMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

STAINLESS = "x-stainless-"
"""Prefix of the headers by which OpenAI's clients describe themselves; the names differ between versions."""


class CORSMiddleware(CorsMiddleware):
    """Allows the headers of the settings and those by which OpenAI's clients describe themselves."""

    def add_response_headers(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Answer a preflight request with the headers that it asks for, where they are harmless."""
        response = super().add_response_headers(request, response)
        if allowed := response.get(ACCESS_CONTROL_ALLOW_HEADERS):
            wanted = request.headers.get("Access-Control-Request-Headers", "").lower().split(",")
            theirs = [name.strip() for name in wanted if name.strip().startswith(STAINLESS)]
            response[ACCESS_CONTROL_ALLOW_HEADERS] = ", ".join([allowed, *theirs])
        return response


def headers_for(scope: Any) -> list[tuple[bytes, bytes]]:
    """Headers that let a page read a response that Django does not make."""
    origin = dict(scope["headers"]).get(b"origin", b"")
    named = [urlsplit(named) for named in settings.CORS_ALLOWED_ORIGINS]
    asking = urlsplit(origin.decode("latin-1"))
    if not any((asking.scheme, asking.netloc) == (one.scheme, one.netloc) for one in named):
        return []
    return [(b"access-control-allow-origin", origin), (b"vary", b"origin")]
