"""A stream with which `manage.py doctor` tests what proxies do to streams; it requires a signed token."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncGenerator

from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.utils.decorators import method_decorator
from django.views import View

from chatbot.web.forwarding import DISBELIEVED

SALT = "chatbot.web.probe"
TOKEN_SECONDS = 300
PAUSE_MAX = 60.0
BEAT = 0.2
"""Seconds between two events of a stream that is not silent."""


def token() -> str:
    """A token that admits to the probe for a few minutes, signed with this site's secret."""
    return signing.dumps({}, salt=SALT)


@method_decorator(login_not_required, name="dispatch")
class ProbeView(View):
    """Describes the request as it arrived, at once; then sends the time, after a pause, on the same stream."""

    def get(self, request: HttpRequest) -> StreamingHttpResponse:
        """Respond with server-sent events, or with 404 without a valid token."""
        try:
            signing.loads(request.GET.get("token", ""), salt=SALT, max_age=TOKEN_SECONDS)
            pause = min(float(request.GET.get("pause", "0")), PAUSE_MAX)
        except (signing.BadSignature, ValueError):
            raise Http404 from None
        arrived = {
            "scheme": request.scheme,
            "host": request.get_host(),
            "disbelieved": getattr(request, "scope", {}).get(DISBELIEVED),
            "client": request.META.get("REMOTE_ADDR", ""),
            "nonce": secrets.token_hex(8),
            "time": time.time(),
        }
        return StreamingHttpResponse(
            events(arrived, pause, talks="talks" in request.GET),
            content_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


async def events(arrived: dict[str, object], pause: float, *, talks: bool) -> AsyncGenerator[bytes]:
    """The first event at once, the last one after `pause` seconds, with heartbeats in between if `talks`."""
    yield f"data: {json.dumps(arrived)}\n\n".encode()
    if talks:
        until = time.monotonic() + pause
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(BEAT, left))
            yield b": still here\n\n"
    else:
        await asyncio.sleep(pause)
    yield b"data: end\n\n"
