"""A proxy in front of the site with at most one fault."""

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
    """The fault of a proxy; without any it is correct."""

    buffers: bool = False
    """Passes a response on only when it is complete."""
    caches: bool = False
    """Answers the same address with the first response again."""
    cuts_silence: bool = False
    """Cuts a stream that is silent after its first event."""
    cuts_talk: bool = False
    """Cuts a stream that is not silent, at its first heartbeat."""
    is_empty: bool = False
    """Passes on only the head of a response."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers that replace those of the request."""
    answers: dict[str, str] = field(default_factory=dict)
    """Headers that are added to the response."""
    status: int = 0
    """Status with which the proxy itself answers, or 0."""

    def last_line(self, path: str) -> bytes:
        """The line after which the probe's stream at this path is cut, or empty."""
        asked = parse_qs(urlsplit(path).query)
        if not float(asked.get("pause", ["0"])[0]):
            return b""
        if "talks" in asked:
            return b": still here\n" if self.cuts_talk else b""
        return b"\n" if self.cuts_silence else b""


class Handler(BaseHTTPRequestHandler):
    """Handles one request to the proxy."""

    protocol_version = "HTTP/1.1"
    server: "Listener"

    def do_GET(self) -> None:  # noqa: N802 (the name that the server looks for)
        """Send the request to the site, and pass its response on."""
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
            # The client may be gone.
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
        """Log nothing, to keep the tests' output clean."""


class Listener(ThreadingHTTPServer):
    """The listening server, with the state that requests share."""

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
