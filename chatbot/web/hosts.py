"""The site's host names, and the response to a request for another host."""

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.html import format_html

from chatbot.web import problems
from chatbot.web.django_asgi import Request

SENTENCE = (
    "This site is not available at {}. Use the address that you were given. Administrators add further names to"
    " ALLOWED_HOSTS."
)
NAME_MAX_CHARS = 100


class ChatRequest(Request):
    """A request that, in debug, also accepts this machine's own address and name, as other computers use."""

    def get_host(self) -> str:
        """Host and port of the request. Raises `DisallowedHost` for a host that is not the site's."""
        try:
            return super().get_host()
        except DisallowedHost:
            asked = str(self.META.get("HTTP_HOST", ""))
            if settings.DEBUG and name_in(asked) in own_names(self.scope):
                return asked
            raise


def name_in(host: str) -> str:
    """The name or address without its port, in lower case; empty for an invalid one."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def own_names(scope: Any) -> set[str]:
    """The address at which the request arrived, and this machine's own name.

    No foreign page can use these: it would need a name that leads here, which the check of hosts prevents.
    """
    name = socket.gethostname().lower()
    names = {name, f"{name}.local"}
    try:
        arrived = ipaddress.ip_address((scope.get("server") or ("",))[0])
    except ValueError:
        return names
    return names | {str(getattr(arrived, "ipv4_mapped", None) or arrived)}


def refusal(request: HttpRequest) -> HttpResponse:
    """The response to a request for another host, with status 400; never calls `get_host`, which would raise."""
    name = name_in(request.META.get("HTTP_HOST", ""))[:NAME_MAX_CHARS] or "that it was asked by"
    if request.path_info.startswith(("/api/", "/v1/")):
        return problems.answer(problems.Problem("bad_request", SENTENCE.format(name)), door=problems.is_door(request))
    if request.headers.get("HX-Request"):
        return HttpResponse(format_html("<p>" + SENTENCE + "</p>", name), status=400)
    if request.accepts("text/html"):
        return HttpResponse(render_to_string("400_host.html", {"sentence": SENTENCE.format(name)}), status=400)
    return HttpResponse(SENTENCE.format(name) + "\n", content_type="text/plain", status=400)
