"""Django's ASGI handler, in parts: the only module that builds on its inside.

Django documents an application to be served, and none of what it consists of. What is used here is as Django 6.1 has
it; `tests/contracts/test_django_asgi.py` says in words what another version has changed.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest
from django.http.response import HttpResponseBase

Request = ASGIRequest
"""A request as the handler makes it of a scope and a body; it keeps the scope."""


class DjangoParts(ASGIHandler):
    """The steps in which Django serves a request, each by itself, and its middleware as a synchronous chain."""

    def __init__(self, request_class: type[Request]) -> None:
        # Not the parent's, which would make the chain of middleware asynchronous.
        super(ASGIHandler, self).__init__()
        self.request_class = request_class
        self.load_middleware(is_async=False)

    async def body(self, receive: Any) -> Any:
        """The request's whole body, a file. Raises `RequestAborted` when the client goes away before its end."""
        return await self.read_body(receive)

    def request(self, scope: Any, body: Any) -> HttpRequest | HttpResponseBase:
        """The request; or a response, to one that makes no sense."""
        request, refusal = self.create_request(scope, body)
        return request or refusal  # type: ignore[return-value] # one of them is there

    def response(self, request: HttpRequest) -> HttpResponseBase:
        """The response, through the middleware. Blocks."""
        return self.get_response(request)

    async def send(self, response: HttpResponseBase, send: Any) -> None:
        """Send the response, a stream to its end."""
        await self.send_response(response, send)

    async def departure(self, receive: Any) -> None:
        """Wait for the client to go away, the body being read. Raises `RequestAborted` then."""
        await self.listen_for_disconnect(receive)


class OneView(ASGIHandler):
    """An ASGI application of a single view and its own middleware, all asynchronous, beside the site."""

    def __init__(self, view: Callable[[HttpRequest], Any], middleware: Iterable[Callable[[Any], Any]]) -> None:
        """`middleware` comes from the innermost to the outermost."""
        self._view, self._middleware = view, tuple(middleware)
        super().__init__()

    def load_middleware(self, is_async: bool = True) -> None:  # noqa: FBT001, FBT002 (Django's signature)
        """Build the chain from its inside."""
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        handler = convert_exception_to_response(self._view)
        for middleware in self._middleware:
            handler = convert_exception_to_response(middleware(handler))
        self._middleware_chain = handler
