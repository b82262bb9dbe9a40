"""Requests refused before Django sees them: bodies and charsets that would cost too much to read."""

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from django.template.loader import render_to_string
from django.utils.http import parse_header_parameters

from chatbot.core import paths
from chatbot.web import cors, problems
from chatbot.web.problems import Problem

PROGRAMS = ("/api/", "/v1/")
"""Path prefixes for programs, which get the reason as JSON."""

CODES = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}
"""HTTP status -> the API's code for it."""

AWAY = "The database does not respond. What you typed is still here; try again in a moment."
FULL = "The database's disk is full: nothing can be stored. What you typed is still here; tell whoever runs this site."
FORM_MAX = 200_000
"""Bytes of a form whose message is given back; the longest message takes half of it."""

RETRY_AFTER = 5
"""Seconds in `Retry-After` of a refused request."""


class BodyTooLarge(Exception):
    """The request's body is larger than any form of this site."""


def refused(scope: Any, limit: int) -> HTTPStatus | None:
    """The status for a request that is refused unread, or None; `limit` is the most bytes of its body.

    Django would write a body of any size to the disk before it checks it, and decode a form in any charset that the
    request names, some of which take minutes. Browsers send forms in the page's charset.
    """
    # Read as Django reads it: the last of several parameters, including encoded ones; several headers are joined.
    kinds = [value.decode("latin-1") for name, value in scope["headers"] if name == b"content-type"] or [""]
    try:
        _, parameters = parse_header_parameters(kinds[0])
    except (ValueError, LookupError):
        return HTTPStatus.BAD_REQUEST
    if len(kinds) > 1 or parameters.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        return HTTPStatus.BAD_REQUEST
    length = dict(scope["headers"]).get(b"content-length", b"0")
    if not length.isdigit() or int(length) > limit:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return None


def bounded(receive: Any, room: int) -> Any:
    """Wrap `receive` to pass at most `room` bytes of body, for a body of unknown length; raises `BodyTooLarge`."""

    async def receive_bounded() -> Any:
        nonlocal room
        message = await receive()
        room -= len(message.get("body", b""))
        if room < 0:
            raise BodyTooLarge
        return message

    return receive_bounded


def typed(form: bytes) -> str:
    """The message in a form that a browser has sent without scripts; empty when there is none."""
    return parse_qs(form.decode(errors="replace")).get("message", [""])[0]


async def answer(scope: Any, send: Any, status: HTTPStatus, *, form: bytes = b"") -> None:
    """Refuse a request before Django: with a page for a person, a problem for a program, else a line.

    The page shows the message of the `form`.
    """
    kind, body = b"text/plain", f"{status.value} {status.phrase}\n".encode()
    sent = dict(scope["headers"])
    more: list[tuple[bytes, bytes]] = []
    path = paths.below(scope)
    said = "" if path.startswith(PROGRAMS) else typed(form)
    if (said or b"text/html" in sent.get(b"accept", b"")) and b"hx-request" not in sent:
        kind, body = b"text/html; charset=utf-8", render_to_string(f"{status.value}.html", {"typed": said}).encode()
    elif path.startswith(PROGRAMS):
        response = problems.answer(Problem(CODES[status]), door=path.startswith(problems.DOOR))
        kind, body = response["Content-Type"].encode(), response.content
        more = cors.headers_for(scope)
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        is_page = b"hx-request" in sent
        kind, body = (b"text/html", f"<p>{AWAY}</p>".encode()) if is_page else (kind, b"the database is not available")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        more = [*more, (b"retry-after", b"%d" % RETRY_AFTER), (b"cache-control", b"no-store")]
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"connection", b"close"), *more]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
