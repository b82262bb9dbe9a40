"""Django's ASGI handler in parts, as `chatbot/web/django_asgi.py` takes them."""

import asyncio
from io import BytesIO
from typing import Any

import pytest
from django.core.exceptions import RequestAborted
from django.http import HttpRequest, HttpResponse

from chatbot.web.django_asgi import DjangoParts, OneView
from chatbot.web.hosts import ChatRequest
from conversations.transfer import responses
from tests.contracts.words import relied_upon

HOME = "chatbot/web/django_asgi.py"


def scope(path: str = "/healthz") -> dict[str, Any]:
    """A request as a server hands it over."""
    return {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [(b"host", b"testserver")]}


class Client:
    """Both ends of a connection."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.events = list(events)
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        """What the client sends next; one that has nothing more to say waits."""
        return self.events.pop(0) if self.events else await asyncio.Future()

    async def send(self, event: dict[str, Any]) -> None:
        """Keep what the site sends."""
        self.sent.append(event)

    @property
    def body(self) -> bytes:
        """What was sent of the body."""
        return b"".join(event.get("body", b"") for event in self.sent)


@pytest.fixture
def parts() -> DjangoParts:
    """The handler."""
    with relied_upon("ASGIHandler can be made with a synchronous chain, by `load_middleware(is_async=False)`.", HOME):
        return DjangoParts(ChatRequest)


async def test_a_body_is_read_whole(parts: DjangoParts) -> None:
    with relied_upon("`ASGIHandler.read_body` returns a file with the whole body, at its beginning.", HOME):
        pieces = [{"type": "http.request", "body": piece, "more_body": piece != b"c"} for piece in (b"a", b"b", b"c")]
        body = await parts.body(Client(*pieces).receive)
        assert body.read() == b"abc"
        body.close()


async def test_a_client_that_goes_away_is_noticed(parts: DjangoParts) -> None:
    gone = {"type": "http.disconnect"}
    for step, name in ((parts.body, "read_body"), (parts.departure, "listen_for_disconnect")):
        with (
            relied_upon(f"`ASGIHandler.{name}` raises RequestAborted when the client goes away.", HOME),
            pytest.raises(RequestAborted),
        ):
            await step(Client(gone).receive)


def test_a_scope_becomes_a_request_of_our_class(parts: DjangoParts) -> None:
    with relied_upon("`ASGIHandler.create_request` makes a `request_class`, or a response to refuse with.", HOME):
        request = parts.request(scope("/c/1/"), BytesIO())
        assert isinstance(request, ChatRequest)
        assert (request.path, request.scope["path"]) == ("/c/1/", "/c/1/")


def test_a_request_is_answered_through_the_middleware_in_the_same_thread(parts: DjangoParts) -> None:
    with relied_upon("`BaseHandler.get_response` answers synchronously, through the middleware.", HOME):
        request = parts.request(scope(), BytesIO())
        assert isinstance(request, HttpRequest)
        response = parts.response(request)
        assert response.status_code == 200
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert request.resolver_match


async def test_a_response_is_sent_whole_or_as_it_streams(parts: DjangoParts) -> None:
    async def pieces() -> Any:
        for piece in ("a", "b"):
            yield piece

    with relied_upon("`ASGIHandler.send_response` sends a status, the headers, and the body or its stream.", HOME):
        for response in (HttpResponse(b"ab"), responses.page(pieces())):
            client = Client()
            await parts.send(response, client.send)
            assert client.sent[0]["status"] == 200
            assert client.body == b"ab"
            assert not client.sent[-1].get("more_body")


async def test_one_view_is_served_through_its_own_middleware_alone() -> None:
    def marking(mark: str) -> Any:
        def middleware(get_response: Any) -> Any:
            async def marked(request: HttpRequest) -> HttpResponse:
                response: HttpResponse = await get_response(request)
                response.headers["X-Marks"] = response.headers.get("X-Marks", "") + mark
                return response

            return marked

        return middleware

    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.path)

    with relied_upon("A handler whose `load_middleware` sets `_middleware_chain` and its lists serves by it.", HOME):
        client = Client({"type": "http.request"})
        send: Any = client.send
        await OneView(view, (marking("inner "), marking("outer ")))(scope("/static/x"), client.receive, send)
        assert client.body == b"/static/x"
        assert (b"X-Marks", b"inner outer ") in client.sent[0]["headers"]
