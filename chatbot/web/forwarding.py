"""X-Forwarded-For and X-Forwarded-Proto: accepted from the proxies in FORWARDED_ALLOW_IPS only."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from chatbot.web import uvicorn_manners

logger = logging.getLogger(__name__)

HEADERS = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})
DISBELIEVED = "chatbot.disbelieved"
"""Key in a scope for the address of a proxy whose headers were not accepted."""

TOLD_MAX = 10
"""Most addresses that one process logs, because anybody may send such a header."""

ADVICE = "If it is your proxy, set FORWARDED_ALLOW_IPS={}"


class Forwarding:
    """Wraps `app` behind proxies: accepts the headers of named ones, and logs others once each."""

    def __init__(self, app: Callable[[Any, Any, Any], Awaitable[None]]) -> None:
        self._believing = uvicorn_manners.believing(app, settings.FORWARDED_ALLOW_IPS)
        self._told = set[str]()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request with the client's address and scheme from trusted headers in its scope."""
        peer = scope["client"][0] if scope.get("client") else ""
        is_believed = uvicorn_manners.is_believed(self._believing, peer)
        if not is_believed and any(name in HEADERS for name, _ in scope["headers"]):
            scope[DISBELIEVED] = peer
            self._tell(peer)
        await self._believing(scope, receive, send)

    def _tell(self, peer: str) -> None:
        if peer in self._told or len(self._told) >= TOLD_MAX:
            return
        self._told.add(peer)
        logger.warning(
            "%s sends X-Forwarded-For or X-Forwarded-Proto and is not trusted. %s.",
            peer or "A socket",
            ADVICE.format(peer or "*"),
        )


def tell_whom_is_believed() -> None:
    """Log at the start of a process which proxies are trusted."""
    if settings.FORWARDED_ALLOW_IPS:
        logger.info("Trusted proxies: %s.", ", ".join(settings.FORWARDED_ALLOW_IPS))
    elif settings.HTTPS_ONLY:
        logger.warning(
            "No proxy is trusted, and HTTPS_ONLY is on: behind a proxy every request is redirected endlessly."
            " Set FORWARDED_ALLOW_IPS to the proxy's address."
        )
