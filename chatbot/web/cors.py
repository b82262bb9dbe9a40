"""Which other sites' pages a browser lets use the API."""

from typing import Any
from urllib.parse import urlsplit

from corsheaders.middleware import ACCESS_CONTROL_ALLOW_HEADERS, CorsMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

STAINLESS = "x-stainless-"
"""How the headers begin by which OpenAI's clients describe themselves; each version knows others."""


class CORSMiddleware(CorsMiddleware):
    """Lets through, beside the headers of the settings, whatever OpenAI's clients tell of themselves."""

    def add_response_headers(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Answer a browser that asks first with the headers that it wants to send, where they are harmless."""
        response = super().add_response_headers(request, response)
        if allowed := response.get(ACCESS_CONTROL_ALLOW_HEADERS):
            wanted = request.headers.get("Access-Control-Request-Headers", "").lower().split(",")
            theirs = [name.strip() for name in wanted if name.strip().startswith(STAINLESS)]
            response[ACCESS_CONTROL_ALLOW_HEADERS] = ", ".join([allowed, *theirs])
        return response


def headers_for(scope: Any) -> list[tuple[bytes, bytes]]:
    """The headers that let a page read an answer which Django does not give."""
    origin = dict(scope["headers"]).get(b"origin", b"")
    named = [urlsplit(named) for named in settings.CORS_ALLOWED_ORIGINS]
    asking = urlsplit(origin.decode("latin-1"))
    if not any((asking.scheme, asking.netloc) == (one.scheme, one.netloc) for one in named):
        return []
    return [(b"access-control-allow-origin", origin), (b"vary", b"origin")]
