"""Static files: an ASGI application of their own. ServeStatic is asynchronous, the rest of the site is not."""

from typing import Any

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware
from servestatic.middleware import ServeStaticMiddleware

from chatbot.core import paths
from chatbot.telemetry import origin
from chatbot.web.middleware import CompressionMiddleware

FILES = "/static/"
"""Where they are, within the site."""


class FileHandler(ASGIHandler):
    """Serves what is below FILES through three middleware; nobody is signed in there and no database is asked."""

    def load_middleware(self, is_async: bool = True) -> None:  # noqa: FBT001, FBT002 (Django's signature)
        """Build the chain from its inside."""
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        handler = convert_exception_to_response(not_found)
        for middleware in (ServeStaticMiddleware, CompressionMiddleware, SecurityMiddleware):
            handler = convert_exception_to_response(middleware(handler))
        self._middleware_chain = handler

    def serves(self, scope: Any) -> bool:
        """Whether the request is for a file."""
        return paths.below(scope).startswith(FILES)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the file."""
        origin.add(route="static")
        await super().__call__(scope, receive, send)


async def not_found(request: HttpRequest) -> HttpResponse:
    """There is no such file."""
    raise Http404
