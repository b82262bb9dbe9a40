"""The page of metrics for Prometheus, protected by a token: an ASGI application without session and database.

Django does not see the request: a process is asked by its own address, which is not a host name of the site.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chatbot.core import paths
from chatbot.core.process import Part
from chatbot.telemetry import metrics, origin

_thread = Part(lambda: ThreadPoolExecutor(1, thread_name_prefix="metrics"))


def serves(scope: Any) -> bool:
    """Whether the request is for the metrics, and they are enabled."""
    return paths.below(scope) == metrics.PATH and scope["method"] in {"GET", "HEAD"} and metrics.is_on()


async def serve(scope: Any, receive: Any, send: Any) -> None:
    """Respond with all metrics, or with 401 without the token."""
    origin.add(route="metrics")
    status, body = 401, b"The token is missing or wrong.\n"
    headers = [(b"content-type", b"text/plain"), (b"www-authenticate", b'Bearer realm="metrics"')]
    if metrics.may_see(dict(scope["headers"]).get(b"authorization", b"")):
        # Writing them takes milliseconds, which would delay streams in the event loop.
        status, body = 200, await asyncio.get_running_loop().run_in_executor(_thread(), metrics.page)
        headers = [(b"content-type", metrics.CONTENT_TYPE.encode())]
    headers += [(b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
