"""Helpers for tests of telemetry: a server that receives reports, and a database that refuses messages."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import brotli
from django.db import connection

WAIT_SECONDS = 20.0
UNPACKED: dict[str | None, Callable[[bytes], bytes]] = {None: bytes, "gzip": gzip.decompress, "br": brotli.decompress}


class Receiver:
    """An HTTP server that keeps the bodies of requests: `with Receiver() as receiver:`."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        """Path and decompressed body of each request."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # noqa: N802 (http.server's name)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.bodies.append((self.path, UNPACKED[self.headers.get("Content-Encoding")](body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait_for[T](self, find: Callable[[], T | None]) -> T:
        """The result of `find`, once it is not None. Fails after `WAIT_SECONDS`."""
        deadline = time.monotonic() + WAIT_SECONDS
        while (found := find()) is None:
            assert time.monotonic() < deadline, f"{len(self.bodies)} bodies, not the one"
        return found


@contextmanager
def refusing() -> Iterator[None]:
    """Make the database refuse messages; its error repeats the whole row."""
    with connection.cursor() as cursor:
        condition = "content NOT LIKE '%saffron%' AND content NOT LIKE '%turnips%'"
        cursor.execute(f"ALTER TABLE conversations_message ADD CONSTRAINT no_food CHECK ({condition}) NOT VALID")
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE conversations_message DROP CONSTRAINT no_food")
