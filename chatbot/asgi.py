"""The ASGI application: Django, and the start and end of the process."""

import asyncio
import logging
import os
import re
from http import HTTPStatus
from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbot.settings")
django.setup(set_prefix=False)

from conversations import llm, replies  # noqa: E402 (models can be imported only after the set-up)

logger = logging.getLogger(__name__)

STREAM = re.compile(r"/messages/[0-9a-f-]{36}/stream/")
CHARSET = re.compile(rb"charset\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)


class BodyTooLarge(Exception):
    """The request's body is larger than any form of this site."""


class ChatHandler(ASGIHandler):
    """Django's handler, with a guard before it, and without a thread of its own for each open stream.

    Django keeps one thread per request for its synchronous parts until the response ends. A stream needs such a thread
    only for a moment, to see who is asking; all streams share one.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, or the process's start and end."""
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        elif status := refused(scope):
            await answer(send, status)
        else:
            try:
                await self.serve(scope, bounded(receive), send)
            except BodyTooLarge:
                await answer(send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request that the guard let in."""
        if scope["method"] == "GET" and STREAM.fullmatch(scope["path"]):
            await self.handle(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def live(self, receive: Any, send: Any) -> None:
        """Follow the server's lifespan: at its end, hand back the replies that are still being made."""
        warming: asyncio.Task[None]
        while True:
            event = (await receive())["type"]
            if event == "lifespan.startup":
                warming = asyncio.create_task(llm.warm_up(), name="warm up")
            if event == "lifespan.shutdown":
                warming.cancel()
                try:
                    await replies.shut_down()
                except Exception:
                    logger.exception("Replies could not be handed back.")
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return


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


application = ChatHandler()
