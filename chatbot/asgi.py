"""The ASGI application: Django, and the start and end of the process."""

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from functools import partial
from http import HTTPStatus
from typing import Any, cast

import django
from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import connections
from django.http.response import HttpResponseBase
from django.urls import get_resolver, set_script_prefix

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbot.settings")
django.setup(set_prefix=False)

from chatbot import readiness, telemetry, uploads  # noqa: E402 (apps can be imported only after the set-up)
from chatbot.awaited import AwaitedResponse  # noqa: E402 (apps can be imported only after the set-up)
from chatbot.files import FileHandler  # noqa: E402
from chatbot.guard import BodyTooLarge, answer, bounded, refused  # noqa: E402
from chatbot.telemetry import metrics, origin, scrape  # noqa: E402
from chatbot.telemetry.exchange import Exchange  # noqa: E402
from conversations import gauges, llm, replies  # noqa: E402

logger = logging.getLogger(__name__)

HEALTH, READY = "/healthz", "/readyz"
SignalHandler = Callable[[int, Any], Any]


class ChatHandler(ASGIHandler):
    """Django's handler, with a guard before it, whose synchronous parts run in one of a few threads, in one go.

    Django's own handler changes threads twice for every middleware, and keeps a thread for every request until its
    response has ended. Here a request has a thread until its response begins; what streams, or has yet to be made
    (`AwaitedResponse`), has none.
    """

    def __init__(self) -> None:
        # Not the parent's, which would make the chain of middleware asynchronous.
        super(ASGIHandler, self).__init__()
        self.load_middleware(is_async=False)
        self.files = FileHandler()
        self.requests = 0
        """Those that have a thread, or wait for one."""
        self._threads = ThreadPoolExecutor(settings.WEB_THREADS, thread_name_prefix="web")
        # While the database is away, the others wait for it; the process is alive all the same.
        self._probe_threads = {path: ThreadPoolExecutor(1, thread_name_prefix="health") for path in (HEALTH, READY)}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, or the process's start and end."""
        if scope["type"] == "lifespan":
            await self.live(receive, send)
            return
        exchange = Exchange(scope, send)
        try:
            await self.serve(scope, receive, exchange.send)
        finally:
            exchange.end()

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request: refuse it, send a file, or ask Django."""
        limit = await self.body_limit(scope)
        if status := refused(scope, limit):
            await answer(scope, send, status)
        else:
            try:
                await self.handler_for(scope)(scope, bounded(receive, limit), send)
            except BodyTooLarge:
                await answer(scope, send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def handler_for(self, scope: Any) -> Any:
        """Who serves the request."""
        if scrape.serves(scope):
            return scrape.serve
        return self.files if self.files.serves(scope) else self.handle

    async def body_limit(self, scope: Any) -> int:
        """Bytes that the request's body may have: more for a file to import, from somebody who has signed in."""
        if scope["path"] == uploads.PATH and scope["method"] == "POST":
            signed_in = await asyncio.get_running_loop().run_in_executor(self._threads, uploads.is_signed_in, scope)
            if signed_in:
                return int(settings.CHAT_IMPORT_MAX_BYTES) + uploads.REST_OF_FORM
        return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request that the guard let in."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        loop = asyncio.get_running_loop()
        threads = self._probe_threads.get(scope["path"], self._threads)
        counts = threads is self._threads
        self.requests += counts
        try:
            response = await loop.run_in_executor(threads, copy_context().run, self.respond, scope, body)
        finally:
            self.requests -= counts
        if not response.streaming and not isinstance(response, AwaitedResponse):
            await self.send_response(response, send)
            return
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self.listen_for_disconnect(receive))
                if isinstance(response, AwaitedResponse):
                    response = await response.made()
                await self.send_response(response, send)
                listening.cancel()
        except* RequestAborted:
            pass
        finally:
            response.close()

    def respond(self, scope: Any, body: Any) -> HttpResponseBase:
        """The response to one request; this thread is done with the request, and its database connection, after it."""
        with closing(body):
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            request, refusal = self.create_request(scope, body)
            response = self.get_response(request) if request else cast(HttpResponseBase, refusal)
            if request and request.resolver_match:
                origin.add(route=request.resolver_match.view_name)
        if response.streaming:
            connections.close_all()
        else:
            response.close()
        return response

    async def live(self, receive: Any, send: Any) -> None:
        """Follow the server's lifespan: at its end, hand back the replies that are still being made."""
        warming: asyncio.Task[None]
        while True:
            event = (await receive())["type"]
            if event == "lifespan.startup":
                if refusal := telemetry.begin() or await asyncio.to_thread(readiness.refusal):
                    await send({"type": "lifespan.startup.failed", "message": refusal})
                    return
                replies.serve()
                drain_when_told()
                warming = asyncio.create_task(warm_up(), name="warm up")
            if event == "lifespan.shutdown":
                warming.cancel()
                try:
                    await drained(settings.CHAT_SHUTDOWN_GRACE)
                except Exception:
                    logger.exception("Replies could not be handed back.")
                await asyncio.to_thread(close_pools)
                await asyncio.to_thread(telemetry.end)
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return


async def warm_up() -> None:
    """Load what the first request would load, then exempt it all from garbage collection.

    A full collection looks at every object; with those of the imported packages it stops the process for a tenth of a
    second, several times a second under load.
    """
    await llm.warm_up()
    await asyncio.to_thread(lambda: get_resolver().url_patterns)
    gc.collect()
    gc.freeze()


def close_pools() -> None:
    """End the threads of the database's pools, for which the interpreter would wait in vain at its own end."""
    connection: Any
    for connection in connections.all():
        connection.close_pool()


_drain: asyncio.Task[None] | None = None


def drained(grace: float) -> asyncio.Task[None]:
    """The task in which this process gives up its replies, after `grace` seconds for those that run; begun once."""
    global _drain
    if _drain is None:
        _drain = asyncio.create_task(replies.engine().drain(grace), name="drain")
    return _drain


def drain_when_told() -> None:
    """Begin to drain with the signal that ends the process: the server itself waits for open streams first.

    Who presses Ctrl-C wants the prompt back: there is no grace then.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number, grace in ((signal.SIGTERM, settings.CHAT_SHUTDOWN_GRACE), (signal.SIGINT, 0)):
        server = signal.getsignal(number)
        if callable(server):
            signal.signal(number, partial(hear, loop, grace, server))


def hear(loop: asyncio.AbstractEventLoop, grace: float, server: SignalHandler, number: int, frame: Any) -> None:
    """Drain, then let the server do what it does at this signal."""
    loop.call_soon_threadsafe(drained, grace)
    server(number, frame)


THREADS = {
    "chat_web_threads": "Requests that this process works on at the same time, at most.",
    "chat_web_threads_busy": "Requests that it works on.",
    "chat_web_requests_queued": "Requests that wait for a thread.",
}


def threads_now() -> dict[str, float]:
    """How busy the threads of requests are; for any thread."""
    size, requests = settings.WEB_THREADS, application.requests
    return dict(zip(THREADS, (size, min(size, requests), max(0, requests - size)), strict=True))


application = ChatHandler()
metrics.registry.register(metrics.Gauges(THREADS, threads_now))
gauges.register()
