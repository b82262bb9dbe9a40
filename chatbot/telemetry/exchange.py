"""Telemetry of one request and its response."""

import logging
import time
from collections.abc import Iterable
from typing import Any

from chatbot.core import faults, paths
from chatbot.telemetry import metrics, origin, tracing

access = logging.getLogger("chatbot.access")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
PROBES = frozenset({"/healthz", "/readyz", metrics.PATH})
"""Paths that machines request every few seconds: their log lines have level DEBUG."""

PATH_MAX_CHARS = 200


class Exchange:
    """One request from its beginning to the end of its response: counted, with a line in the log.

    `send` replaces the server's, and adds `headers` to the response's. The code that serves the request tells `origin`
    the route and the person.
    """

    def __init__(self, scope: Any, send: Any, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.began = time.perf_counter()
        self.status = 0
        self._send = send
        self._headers = headers
        self._scope = scope
        method = scope["method"] if scope["method"] in METHODS else metrics.OTHER
        path = faults.without_keys(scope["path"])[:PATH_MAX_CHARS]
        self.fields = origin.begin(request_id=origin.id_for(scope["headers"]), method=method, path=path)
        self._span = tracing.begin_request(scope["headers"], method)

    async def send(self, message: Any) -> None:
        """Pass a message of the response on; adds the headers with the request's id."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            name = (origin.NAME, self.fields["request_id"].encode())
            message["headers"] = [*message.get("headers", ()), *self._headers, name]
            route = self.fields.get("route", metrics.OTHER)
            metrics.answered(self.fields["method"], route, self.status, time.perf_counter() - self.began)
        await self._send(message)

    def end(self) -> None:
        """Record the end of the response, complete or not."""
        if self._span:
            tracing.end_request(self._span, self.fields, self.status)
        level = logging.DEBUG if paths.below(self._scope) in PROBES else logging.INFO
        if access.isEnabledFor(level):
            seconds = time.perf_counter() - self.began
            fields = {"status": self.status, "duration_ms": round(seconds * 1000, 1)}
            # The other fields of the line are the request's origin.
            access.log(
                level, "%s %s %s", self.fields["method"], self.fields["path"], self.status, extra={"own": fields}
            )
