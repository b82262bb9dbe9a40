"""A proxy before the site that does one thing wrong, or nothing."""

import http.client
import threading
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

TIMEOUT_SECONDS = 60.0
OWN_HEADERS = {"transfer-encoding", "connection", "content-length", "date", "server"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What it does wrong."""

    buffers: bool = False
    """It passes an answer on when it has all of it."""
    caches: bool = False
    """It gives the first answer to everybody who asks for the same address."""
    cuts_silence: bool = False
    """It cuts a stream that says nothing after its first event."""
    cuts_talk: bool = False
    """It cuts a stream that talks, at its first sign of life."""
    is_empty: bool = False
    """It passes nothing of an answer on but its head."""
    headers: dict[str, str] = field(default_factory=dict)
    """What it tells the site of the request, other than what was said."""
    answers: dict[str, str] = field(default_factory=dict)
    """What it adds to an answer."""
    status: int = 0
    """With what it answers by itself."""

    def last_line(self, path: str) -> bytes:
        """The line after which it cuts the probe's stream that is asked for with this path, or nothing."""
        asked = parse_qs(urlsplit(path).query)
        if not float(asked.get("pause", ["0"])[0]):
            return b""
        if "talks" in asked:
            return b": still here\n" if self.cuts_talk else b""
        return b"\n" if self.cuts_silence else b""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: "Listener"

    def do_GET(self) -> None:  # noqa: N802 (the name that the server looks for)
        """Ask the site, and pass its answer on."""
        fault, kept = self.server.fault, self.server.kept
        if fault.status:
            self._begin(fault.status, http.client.HTTPMessage())
        elif fault.caches and self.path in kept:
            self._pass_on(*kept[self.path])
        else:
            self._ask(fault)

    def _ask(self, fault: Fault) -> None:
        connection = http.client.HTTPConnection(self.server.site, timeout=TIMEOUT_SECONDS)
        connection.request("GET", self.path, headers=dict(self.headers) | fault.headers)
        with closing(connection), connection.getresponse() as answer:
            self._answer(answer, fault)

    def _answer(self, answer: http.client.HTTPResponse, fault: Fault) -> None:
        if fault.buffers or fault.caches:
            self.server.kept[self.path] = answer.status, answer.headers, answer.read()
            self._pass_on(*self.server.kept[self.path])
        else:
            self._begin(answer.status, answer.headers)
            last = fault.last_line(self.path)
            # The reader may have gone.
            with suppress(OSError):
                for line in () if fault.is_empty else answer:
                    self.wfile.write(line)
                    if line == last:
                        break

    def _pass_on(self, status: int, headers: http.client.HTTPMessage, body: bytes) -> None:
        self._begin(status, headers)
        self.wfile.write(body)

    def _begin(self, status: int, headers: http.client.HTTPMessage) -> None:
        self.send_response(status)
        for name, value in (dict(headers) | self.server.fault.answers).items():
            if name.lower() not in OWN_HEADERS:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Listener(ThreadingHTTPServer):
    """The port, and what its requests share."""

    daemon_threads = False

    def __init__(self, site: str, fault: Fault) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.site = urlsplit(site).netloc
        self.fault = fault
        self.kept = dict[str, tuple[int, http.client.HTTPMessage, bytes]]()


class FaultyProxy:
    """Listens on a port of its own, for a `with` block: `proxy.url` is its address."""

    def __init__(self, site: str, fault: Fault) -> None:
        self._server = Listener(site, fault)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(TIMEOUT_SECONDS)
