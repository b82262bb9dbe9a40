"""The scripted provider's server: HTTP on plain sockets, so that it can misbehave in every byte."""

import asyncio
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from tests.kit.provider.catalogue import named
from tests.kit.provider.script import Close, Gate, Reset, Script, Stall, Usage, echo, error, json_answer, whole
from tests.kit.provider.wire import MODEL, Operation, event, framed, operations

BACKLOG = 1_024
CATALOGUE_PREFIX = "script: "


@dataclass(eq=False)
class Request:
    """A request as the provider received it, updated while it is answered."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)
    sent: int = 0
    """Number of pieces of the answer sent so far, its head included."""
    finished: bool = False
    """Whether the script was played to its end."""
    finished_at: float | None = None
    """Time when the script ended, or None."""
    disconnected_at: float | None = None
    """Time when the client left before the end, or None."""
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def json(self) -> Any:
        """The body of the request, decoded from JSON."""
        return json.loads(self.body)

    @property
    def last_user_message(self) -> str:
        """Text of the newest message with the role `user`, or empty."""
        try:
            messages = self.json["messages"]
            return next(str(one["content"]) for one in reversed(messages) if one["role"] == "user")
        except (ValueError, KeyError, TypeError, StopIteration):
            return ""

    @property
    def disconnected(self) -> bool:
        """Whether the client left before the end."""
        return self.disconnected_at is not None

    def wait_over(self, timeout: float = 60.0) -> bool:
        """Block until the script has ended or the client left, at most `timeout` seconds; returns whether it has."""
        return self.over.wait(timeout)


class Door:
    """A gate with a name: scripts wait at it until the test opens it. It then stays open."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[Callable[[], None]] = []
        self.opened = False
        self.reached = threading.Event()

    def open(self) -> None:
        """Open the gate for all scripts, now and later. Safe in any thread."""
        self._loop.call_soon_threadsafe(self._open)

    def wait_reached(self, timeout: float = 60.0) -> bool:
        """Block until a script waits at the gate; returns whether that happened within `timeout` seconds."""
        return self.reached.wait(timeout)

    def pass_or_wait(self, then: Callable[[], None]) -> bool:
        """Whether the gate is open; if not, `then` is called when it opens."""
        if not self.opened:
            self._waiting.append(then)
        self.reached.set()
        return self.opened

    def _open(self) -> None:
        self.opened = True
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then()


class Server:
    """Chooses a script for each request and plays it."""

    def __init__(self, default: Callable[[str], Script] = echo) -> None:
        self.default = self._first_default = default
        self.models = [MODEL]
        self.listing: Script | None = None
        """Answer to a request for the list of models, in place of `models`."""
        self.embeddings: Script | None = None
        """Answer to requests for embeddings, or None."""
        self.queue: deque[Script] = deque()
        self.rules: list[tuple[str, Script]] = []
        self.of_request: Callable[[Request], Script] | None = None
        """Function that chooses a script by the whole request instead of its last message."""
        self.requests: list[Request] = []
        self.changed = threading.Condition()
        """Condition that is notified of each new request and each closed connection."""
        self.connections: set[Connection] = set()
        self._doors: dict[str, Door] = {}
        self._doors_lock = threading.Lock()

    async def start(self, port: int = 0) -> str:
        """Listen on 127.0.0.1; return the base URL, which ends in /v1."""
        self.loop = asyncio.get_running_loop()
        self._server = await self.loop.create_server(lambda: Connection(self), "127.0.0.1", port, backlog=BACKLOG)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        # When a server closes, asyncio leaks clients that it has accepted but not yet handed over.
        while entering := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(entering)
        self._server.close()
        for connection in list(self.connections):
            connection.cut()
        await self._server.wait_closed()

    def reset(self) -> None:
        """Remove all scripts, rules, gates and requests; the list of models is the first one again."""
        self.models[:] = [MODEL]
        for kept in (self.queue, self.rules, self.requests):
            kept.clear()
        self.default = self._first_default
        self.embeddings = self.listing = self.of_request = None
        with self._doors_lock:
            self._doors.clear()

    def door(self, name: str) -> Door:
        """The gate with this name. Safe in any thread."""
        with self._doors_lock:
            if name not in self._doors:
                self._doors[name] = Door(self.loop)
            return self._doors[name]

    def remember(self, request: Request) -> None:
        """Store the request, and notify the threads that wait for it."""
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    def choose(self, request: Request) -> Script:
        """Return the script for a request: the next in the queue, else by rule, else by name, else the default."""
        path = request.path.partition("?")[0]
        if request.method == "GET" and path == "/v1/models":
            return self.listing or json_answer(
                {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
            )
        if path == "/v1/embeddings" and self.embeddings:
            return self.embeddings
        if request.method != "POST" or path != "/v1/chat/completions":
            return error(404, f"no such address: {path}")
        script = self.queue.popleft() if self.queue else self._fitting(request)
        streamed = bool(request.json.get("stream")) if request.body.startswith(b"{") else False
        return script if streamed or script.status != 200 else whole(script.text)

    def _fitting(self, request: Request) -> Script:
        if self.of_request:
            return self.of_request(request)
        message = request.last_user_message
        for substring, script in self.rules:
            if substring in message:
                return script
        name = message.removeprefix(CATALOGUE_PREFIX)
        known = named(name) if name != message else None
        return known or self.default(message)


class Connection(asyncio.Protocol):
    """One connection of a client, which may carry several requests, one after another."""

    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self.server = server
        self._received = b""
        self._request: Request | None = None
        self._operations: Iterator[Operation] = iter(())
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._chunked = True
        self._wants_usage = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register a new connection of a client."""
        self.transport = cast("asyncio.Transport", transport)
        self.server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Unregister the connection, whichever side has ended it."""
        with self.server.changed:
            self.server.connections.discard(self)
            self.server.changed.notify_all()
        if self._timer:
            self._timer.cancel()
        if self._request:
            self._request.disconnected_at = time.monotonic()
            self._over()

    def cut(self) -> None:
        """End the connection at once, with a TCP reset."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Collect a request; answer it when it is complete and the one before is answered."""
        self._received += data
        if self._request is None:
            self._answer_next()

    def _answer_next(self) -> None:
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._received = rest[length:]
        method, path, _ = first.split(" ", 2)
        request = Request(method, path, headers, rest[:length])
        script = self.server.choose(request)
        self._request = request
        self._operations = iter(operations(script))
        self._chunked = script.chunked
        self._wants_usage = b'"include_usage"' in request.body
        self._due = self.server.loop.time()
        self.server.remember(request)
        self._play()

    def _play(self) -> None:
        """Do the steps that are due; a timer or a gate continues with the rest."""
        request = self._request
        if request is None or self.transport.is_closing():
            return
        out: list[bytes] = []
        for operation in self._operations:
            if isinstance(operation, bytes):
                out.append(operation)
                request.sent += 1
            elif isinstance(operation, float):
                self._due += operation
                if self._due > self.server.loop.time():
                    self._send(out)
                    self._timer = self.server.loop.call_at(self._due, self._play)
                    return
            elif isinstance(operation, Usage):
                if self._wants_usage:
                    out.append(framed(event(operation), chunked=self._chunked))
            elif self._stops(operation, out):
                return
        self._send(out)
        self._end(request)

    def _stops(self, operation: Gate | Stall | Close | Reset, out: list[bytes]) -> bool:
        """Send what is ready, then do the operation; returns whether the script pauses or has ended."""
        self._send(out)
        out.clear()
        match operation:
            case Gate(name):
                return not self.server.door(name).pass_or_wait(self._resume)
            case Close():
                self._over(finished=True)
                self.transport.close()
            case Reset():
                self._over(finished=True)
                self.cut()
            case Stall():
                pass
        return True

    def _resume(self) -> None:
        self._due = self.server.loop.time()
        self._play()

    def _send(self, out: list[bytes]) -> None:
        if out:
            self.transport.write(b"".join(out))

    def _end(self, request: Request) -> None:
        self._over(finished=True)
        if self._chunked and request.headers.get("connection") != "close":
            self._answer_next()
        else:
            self.transport.close()

    def _over(self, *, finished: bool = False) -> None:
        if self._request:
            self._request.finished = finished
            self._request.finished_at = time.monotonic() if finished else None
            self._request.over.set()
            self._request = None
