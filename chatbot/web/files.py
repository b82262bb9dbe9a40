"""Static files as an ASGI application of their own, because ServeStatic is asynchronous and the site is not."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware
from servestatic.middleware import ServeStaticMiddleware

from chatbot.core import paths
from chatbot.telemetry import origin
from chatbot.web.django_asgi import OneView
from chatbot.web.middleware import CompressionMiddleware

FILES = "/static/"
"""Path of static files within the site."""


class FileHandler:
    """Serves paths below FILES through three middleware, without sessions and database."""

    def __init__(self) -> None:
        self._django = OneView(not_found, (ServeStaticMiddleware, CompressionMiddleware, SecurityMiddleware))

    def serves(self, scope: Any) -> bool:
        """Whether the request is for a static file."""
        return paths.below(scope).startswith(FILES)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request for a file."""
        origin.add(route="static")
        await self._django(scope, receive, send)


async def not_found(request: HttpRequest) -> HttpResponse:
    """Respond with status 404 to an unknown file."""
    raise Http404
