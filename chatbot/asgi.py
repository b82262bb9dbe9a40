"""The ASGI application: Django, and the start and end of the process."""

import asyncio
import logging
import os
from typing import Any

import django
from django.core.handlers.asgi import ASGIHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbot.settings")
django.setup(set_prefix=False)

from conversations import llm, replies  # noqa: E402 (models can be imported only after the set-up)

logger = logging.getLogger(__name__)

STREAM_SUFFIX = "/stream/"


class ChatHandler(ASGIHandler):
    """Django's handler, without a thread of its own for each open stream.

    Django keeps one thread per request for its synchronous parts until the response ends. A stream needs such a thread
    only for a moment, to see who is asking; all streams share one.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, or the process's start and end."""
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        elif scope["type"] == "http" and scope["path"].endswith(STREAM_SUFFIX):
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


application = ChatHandler()
