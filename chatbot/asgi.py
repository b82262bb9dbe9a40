"""The ASGI application: Django, and the start and end of the process."""

import asyncio
import gc
import io
import logging
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import django
from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, get_resolver, set_script_prefix

from chatbot.core.process import Part

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbot.settings")
django.setup(set_prefix=False)

from accounts import uploads  # noqa: E402
from accounts.outbox import END_SECONDS, outbox  # noqa: E402 (apps can be imported only after the set-up)
from chatbot.core import database, paths, readiness  # noqa: E402
from chatbot.core.threads import DATABASE_AWAY  # noqa: E402
from chatbot.telemetry import metrics, origin, reporting, scrape  # noqa: E402
from chatbot.telemetry.exchange import Exchange  # noqa: E402
from chatbot.web import forwarding, hardening, long_work, uvicorn_manners  # noqa: E402
from chatbot.web.awaited import AwaitedResponse  # noqa: E402
from chatbot.web.django_asgi import DjangoParts  # noqa: E402
from chatbot.web.files import FileHandler  # noqa: E402
from chatbot.web.guard import FORM_MAX, BodyTooLarge, answer, bounded, refused  # noqa: E402
from chatbot.web.hosts import ChatRequest  # noqa: E402
from chatbot.web.pulse import DatabaseAway, Pulse  # noqa: E402
from conversations.llm import service as llm  # noqa: E402
from conversations.replies import dispatch, gauges  # noqa: E402
from tools import gauges as tool_gauges  # noqa: E402
from tools import registry  # noqa: E402

logger = logging.getLogger(__name__)

HEALTH, READY = "/healthz", "/readyz"
PROGRAMS = ("api/", "v1/")
"""Prefixes of the URL patterns of the API."""

SignalHandler = Callable[[int, Any], Any]


class ChatHandler:
    """Django's site, with a guard before it, whose synchronous parts run in one of a few threads, in one go.

    Django's own handler changes threads twice for every middleware, and keeps a thread for every request until its
    response has ended. Here a request has a thread until its response begins; streams, and responses that are still to
    be made (`AwaitedResponse`), have none.
    """

    def __init__(self) -> None:
        self.django = DjangoParts(ChatRequest)
        self.files = FileHandler()
        self.forwarded = forwarding.Forwarding(self.watch)
        self.requests = 0
        """Number of requests that have a thread or wait for one."""
        self._threads = ThreadPoolExecutor(settings.WEB_THREADS, thread_name_prefix="web")
        self._long_thread = ThreadPoolExecutor(1, thread_name_prefix="long")
        # While the database is away, other requests wait for it, but health checks must be answered.
        self._probe_threads = {path: ThreadPoolExecutor(1, thread_name_prefix="health") for path in (HEALTH, READY)}
        self._pulse = Pulse()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, or the process's start and end."""
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        else:
            await self.forwarded(scope, receive, send)

    async def watch(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, recorded from its beginning to its end."""
        paths.settle(scope)
        headers = hardening.FILE_HEADERS if self.files.serves(scope) else hardening.PAGE_HEADERS
        exchange = Exchange(scope, send, headers)
        try:
            await self.serve(scope, receive, exchange.send)
        finally:
            exchange.end()

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request: refuse it, send a file, or pass it to Django."""
        try:
            limit = await self.body_limit(scope)
            if status := refused(scope, limit):
                await answer(scope, send, status)
            else:
                await self.handler_for(scope)(scope, bounded(receive, limit), send)
        except BodyTooLarge:
            await answer(scope, send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except (DatabaseAway, *DATABASE_AWAY):
            await answer(scope, send, HTTPStatus.SERVICE_UNAVAILABLE)

    def handler_for(self, scope: Any) -> Any:
        """The ASGI application that serves the request."""
        if scrape.serves(scope):
            return scrape.serve
        return self.files if self.files.serves(scope) else self.handle

    async def body_limit(self, scope: Any) -> int:
        """Bytes that the request's body may have: more for a file to import, from a signed-in person."""
        if paths.below(scope) == uploads.PATH and scope["method"] == "POST":
            asking = self._threads.submit(uploads.may_import, scope)
            if await self._pulse.awaited(asking):
                return int(settings.CHAT_IMPORT_MAX_BYTES) + uploads.REST_OF_FORM
        return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request that the guard has admitted."""
        try:
            body = await self.django.body(receive)
        except RequestAborted:
            return
        path = paths.below(scope)
        form = body.read(FORM_MAX) if scope["method"] == "POST" else b""
        body.seek(0)
        threads = self._probe_threads.get(path, self._threads)
        try:
            response = await self._answered(threads, scope, body, soon=path == READY)
            if isinstance(response, long_work.MovedResponse):
                response = await self._answered(self._long_thread, scope, io.BytesIO())
        except DatabaseAway:
            await answer(scope, send, HTTPStatus.SERVICE_UNAVAILABLE, form=form)
            return
        if not response.streaming and not isinstance(response, AwaitedResponse):
            await self.django.send(response, send)
            return
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self.django.departure(receive))
                if isinstance(response, AwaitedResponse):
                    response = await response.made()
                await self.django.send(response, send)
                listening.cancel()
        except* RequestAborted:
            pass
        finally:
            response.close()

    async def _answered(
        self, threads: ThreadPoolExecutor, scope: Any, body: Any, *, soon: bool = False
    ) -> HttpResponseBase:
        """The response to one request, made by one of these threads."""
        counts = threads is self._threads
        # A GET request may be repeated safely.
        moves = counts and scope["method"] == "GET"
        self.requests += counts
        try:
            making = threads.submit(copy_context().run, self.respond, scope, body, moves=moves)
            return await self._pulse.awaited(making, soon=soon)
        except DatabaseAway:
            # A thread that has begun completes its work, though nobody gets the response.
            if making.cancel():
                body.close()
            making.add_done_callback(forget)
            raise
        finally:
            self.requests -= counts

    def respond(self, scope: Any, body: Any, *, moves: bool = False) -> HttpResponseBase:
        """The response to one request, after which this thread and its database connection are free.

        With `moves`, a response that takes long is left to another thread.
        """
        with closing(body), long_work.moving(moves=moves):
            # The thread does not share the event loop's prefix.
            set_script_prefix(f"{paths.prefix_of(scope)}/")
            signals.request_started.send(sender=self.__class__, scope=scope)
            request = self.django.request(scope, body)
            response = self.django.response(request) if isinstance(request, HttpRequest) else request
            if isinstance(request, HttpRequest) and request.resolver_match:
                origin.add(route=route_of(request.resolver_match))
        if response.streaming:
            connections.close_all()
        else:
            response.close()
        return response

    async def live(self, receive: Any, send: Any) -> None:
        """Follow the server's lifespan: at its end, hand back the replies that are still being made."""
        while True:
            event = (await receive())["type"]
            if event == "lifespan.startup":
                if refusal := reporting.begin() or await asyncio.to_thread(readiness.refusal):
                    await send({"type": "lifespan.startup.failed", "message": refusal})
                    return
                await warm_up()
                forwarding.tell_whom_is_believed()
                dispatch.serve()
                drain_when_told()
            if event == "lifespan.shutdown":
                try:
                    await drained(settings.CHAT_SHUTDOWN_GRACE)
                except Exception:
                    logger.exception("Replies could not be handed back.")
                await asyncio.to_thread(outbox().end, END_SECONDS)
                await asyncio.to_thread(database.close_pools)
                await asyncio.to_thread(reporting.end)
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return


def route_of(match: ResolverMatch) -> str:
    """Name of an address in logs and metrics: a page's view by its name; the API's by its path's pattern."""
    if not match.route.startswith(PROGRAMS):
        return match.view_name
    return f"/{match.route.removesuffix('/')}"


def forget(made: Future[HttpResponseBase]) -> None:
    """Release what a response holds that came too late."""
    if not made.cancelled() and not made.exception():
        made.result().close()


async def warm_up() -> None:
    """Load what the first request and the first reply need, then exempt all objects from garbage collection.

    No request is served before this ends, as both steps would delay requests. A full collection visits every object;
    with those of the imported packages it stops the process for a tenth of a second, several times a second under load.
    """
    await llm.warm_up()
    await asyncio.to_thread(lambda: get_resolver().url_patterns)
    await asyncio.to_thread(registry.warm_up)
    gc.collect()
    gc.freeze()


@dataclass(slots=True)
class Draining:
    """How the process gives up its replies."""

    task: asyncio.Task[None] | None = None
    """None before it has begun to."""


_draining = Part(Draining)


def drained(grace: float) -> asyncio.Task[None]:
    """The task in which this process gives up its replies, after `grace` seconds for running ones; begun once."""
    draining = _draining()
    if draining.task is None:
        draining.task = asyncio.create_task(dispatch.engine().drain(grace), name="drain")
    return draining.task


def drain_when_told() -> None:
    """Begin to drain at the signal that ends the process: the server itself waits for open streams first.

    Ctrl-C allows no grace, because the person wants the prompt back.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number, grace in ((signal.SIGTERM, settings.CHAT_SHUTDOWN_GRACE), (signal.SIGINT, 0)):
        server = signal.getsignal(number)
        if callable(server):
            signal.signal(number, partial(hear, loop, grace, server))


def hear(loop: asyncio.AbstractEventLoop, grace: float, server: SignalHandler, number: int, frame: Any) -> None:
    """Start to drain, then call the server's own handler of this signal."""
    loop.call_soon_threadsafe(drained, grace)
    server(number, frame)


THREADS = {
    "chat_web_threads": "Requests that this process works on at the same time, at most.",
    "chat_web_threads_busy": "Requests that it works on.",
    "chat_web_requests_queued": "Requests that wait for a thread.",
}


def threads_now() -> dict[str, float]:
    """Threads for requests: size, busy ones, queued requests. Safe in any thread."""
    size, requests = settings.WEB_THREADS, application.requests
    return dict(zip(THREADS, (size, min(size, requests), max(0, requests - size)), strict=True))


uvicorn_manners.leave_forwarded_alone()
uvicorn_manners.hide_name()
application = ChatHandler()
metrics.registry.register(metrics.Gauges(THREADS, threads_now))
gauges.register()
tool_gauges.register()
