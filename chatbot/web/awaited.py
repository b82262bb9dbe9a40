"""Responses that are not yet made when their view returns."""

from collections.abc import Awaitable, Callable

from django.http import HttpResponse
from django.http.response import HttpResponseBase

OWN_HEADERS = frozenset({"content-length", "content-type"})


class AwaitedResponse(HttpResponse):
    """Stands for a response that the event loop makes after the view, while no thread waits for it.

    A view that would have to wait, for example for a model, returns one. Middleware sees this empty response; the
    headers and cookies that it adds go to the real one, which keeps its own headers of the same name.
    """

    def __init__(self, make: Callable[[], Awaitable[HttpResponseBase]]) -> None:
        """`make` is called in the event loop; what it raises ends the connection."""
        super().__init__()
        self._make = make

    async def made(self) -> HttpResponseBase:
        """Make the real response, with the headers and cookies of this one."""
        response = await self._make()
        for name, value in self.items():
            if name.lower() not in OWN_HEADERS:
                response.headers.setdefault(name, value)
        response.cookies.update(self.cookies)
        if isinstance(response, HttpResponse):
            response["Content-Length"] = str(len(response.content))
        return response
