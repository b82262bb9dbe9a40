"""Middleware of the site: who may come in, and in which time zone the page is written."""

from collections.abc import Callable
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.middleware import AuthenticationMiddleware, LoginRequiredMiddleware
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponsePermanentRedirect,
)
from django.middleware.common import CommonMiddleware
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import render, resolve_url
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.functional import SimpleLazyObject

from chatbot.telemetry import origin
from chatbot.web import error_pages, long_work

PROBES = frozenset({"/healthz", "/readyz"})
FOUND = "found_person"
"""The attribute of a request that says who was found when somebody asked."""
TIMEZONE_COOKIE = "timezone"
SIGNED_OUT = "You were signed out. Sign in again in another tab, then send once more; what you typed stays in the box."


class CompressionMiddleware(GZipMiddleware):
    """Compresses pages and files, and leaves alone what a view streams.

    It would hold back the small frames of an event stream, and compress a large download in the event loop.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Compress the response where that helps."""
        if response.streaming and not isinstance(response, FileResponse):
            return response
        return super().process_response(request, response)


class HostMiddleware(CommonMiddleware):
    """Django's, which refuses hosts that are not the site's, save for probes: they ask a process by its address."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        """Refuse a host that is not the site's."""
        return None if request.path_info in PROBES else super().process_request(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer for what a view did not find with DEBUG too, where Django's own page would lose what was typed; and
        for a view whose work another thread is to do."""
        if isinstance(exception, long_work.Moved):
            return long_work.MovedResponse()
        return error_pages.not_found(request, exception) if isinstance(exception, Http404) else None


class PersonMiddleware(AuthenticationMiddleware):
    """Django's, which looks for the person once somebody wants to know; here the request remembers who was found."""

    def process_request(self, request: HttpRequest) -> None:
        """Give the request its `user`."""
        super().process_request(request)
        request.user = SimpleLazyObject(partial(_find_person, request))  # type: ignore[assignment] # stands for one


def _find_person(request: HttpRequest) -> Any:
    person = get_user(request)
    vars(request)[FOUND] = person
    return person


def signed_in(request: HttpRequest) -> Any:
    """Who has signed in, as far as somebody has asked on the way; else None. Causes no query."""
    person = vars(request).get(FOUND)
    return person if person and person.is_authenticated else None


class SignedInMiddleware(LoginRequiredMiddleware):
    """Lets only signed-in people in, except where a view says otherwise.

    A redirect would lose what was typed: an htmx request gets a sentence, a form with a message a page, both with
    status 401.
    """

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase], *args: Any
    ) -> HttpResponseBase | None:
        """Refuse those who are not signed in, and tell the request's log lines who is."""
        refusal = super().process_view(request, view_func, *args)
        # Only where it is known: a view for everybody need not ask the database.
        if user := signed_in(request):
            origin.add(user_id=str(user.pk))
        return refusal

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Have nobody keep what only signed-in people see: whoever comes to the computer next would go back to it."""
        view = request.resolver_match.func if request.resolver_match else None
        is_behind = view is not None and getattr(view, "login_required", True)
        # A view for everybody that shows nothing of anybody does not ask.
        if is_behind or signed_in(request):
            patch_cache_control(response, private=True, no_store=True)
        return response

    def handle_no_permission(  # type: ignore[override] # a redirect is not the only answer
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponse:
        """Answer a request of somebody who is not signed in."""
        if getattr(request, "htmx", False):
            return render(request, "_notice.html", {"notice": SIGNED_OUT}, status=401)
        if typed := request.POST.get("message"):
            context = {"typed": typed, "sign_in_url": resolve_url(settings.LOGIN_URL)}
            return render(request, "401.html", context, status=401)
        return super().handle_no_permission(request, view_func)


def cookie_timezone(request: HttpRequest) -> ZoneInfo | None:
    """The reader's time zone, which the page's script keeps in a cookie; None when missing or not a zone's name."""
    try:
        return ZoneInfo(request.COOKIES[TIMEZONE_COOKIE])
    except (KeyError, ValueError, OSError, ZoneInfoNotFoundError):
        return None


def timezone_middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Write times and days in the reader's time zone."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        with timezone.override(cookie_timezone(request)):
            return get_response(request)

    return middleware
