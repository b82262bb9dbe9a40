"""Middleware of the site: access, time zones, compression, hosts."""

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
    """Compresses pages and files, but no streams.

    It would hold back the small frames of an event stream, and compress a large download in the event loop.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Compress the response if it is not a stream."""
        if response.streaming and not isinstance(response, FileResponse):
            return response
        return super().process_response(request, response)


class HostMiddleware(CommonMiddleware):
    """Refuses hosts that are not the site's, as Django does, except for probes, which use a process's own address."""

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
    """Admits only signed-in people, except where a view says otherwise.

    A redirect would lose typed text: an htmx request gets a sentence, a form with a message a page, both with status
    401.
    """

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase], *args: Any
    ) -> HttpResponseBase | None:
        """Refuse anonymous users, and add the person to the request's log lines."""
        refusal = super().process_view(request, view_func, *args)
        # Only if the person was read already: a public view need not query the database.
        if user := signed_in(request):
            origin.add(user_id=str(user.pk))
        return refusal

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Forbid caches to keep pages of signed-in people: the next person at the computer could go back to them."""
        view = request.resolver_match.func if request.resolver_match else None
        is_behind = view is not None and getattr(view, "login_required", True)
        # A view for everybody that shows nothing of anybody does not ask.
        if is_behind or signed_in(request):
            patch_cache_control(response, private=True, no_store=True)
        return response

    def handle_no_permission(  # type: ignore[override] # a redirect is not the only answer
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponse:
        """Respond to an anonymous user's request for a protected view."""
        if getattr(request, "htmx", False):
            return render(request, "_notice.html", {"notice": SIGNED_OUT}, status=401)
        if typed := request.POST.get("message"):
            context = {"typed": typed, "sign_in_url": resolve_url(settings.LOGIN_URL)}
            return render(request, "401.html", context, status=401)
        return super().handle_no_permission(request, view_func)


def cookie_timezone(request: HttpRequest) -> ZoneInfo | None:
    """The reader's time zone from the page's cookie; None when it is missing or invalid."""
    try:
        return ZoneInfo(request.COOKIES[TIMEZONE_COOKIE])
    except (KeyError, ValueError, OSError, ZoneInfoNotFoundError):
        return None


def timezone_middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that shows times and days in the reader's time zone."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        with timezone.override(cookie_timezone(request)):
            return get_response(request)

    return middleware
