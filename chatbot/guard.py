"""What is refused before Django sees it: bodies and charsets that would cost too much to read."""

import re
from http import HTTPStatus
from typing import Any

from django.conf import settings

CHARSET = re.compile(rb"charset\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)


class BodyTooLarge(Exception):
    """The request's body is larger than any form of this site."""


def refused(scope: Any) -> HTTPStatus | None:
    """The status for a request that is not worth reading, or None.

    Django would write a body of any size to the disk before it looks at it, and decode a form in any charset that the
    request names, some of which take minutes. Browsers send forms in the page's charset.
    """
    headers = dict(scope["headers"])
    charset = CHARSET.search(headers.get(b"content-type", b""))
    if charset and charset[1].lower() not in {b"utf-8", b"utf8"}:
        return HTTPStatus.BAD_REQUEST
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return None


def bounded(receive: Any) -> Any:
    """The same messages, up to the largest body; raises `BodyTooLarge` past it, for a body that told no length."""
    room = settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    async def receive_bounded() -> Any:
        nonlocal room
        message = await receive()
        room -= len(message.get("body", b""))
        if room < 0:
            raise BodyTooLarge
        return message

    return receive_bounded


async def answer(send: Any, status: HTTPStatus) -> None:
    """Refuse a request before Django has seen it."""
    body = f"{status.value} {status.phrase}\n".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
