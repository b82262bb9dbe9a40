"""Responses to errors outside a view: a page, or a sentence for htmx; typed text is given back."""

import logging
import sys

from django.core.exceptions import DisallowedHost, RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import defaults

from chatbot.core import faults, readiness
from chatbot.core.threads import DATABASE_AWAY
from chatbot.web import hosts, problems
from chatbot.web.guard import AWAY, FULL, PROGRAMS, RETRY_AFTER

logger = logging.getLogger(__name__)

OUT_OF_DATE = "This page is out of date. Reload it, then send again; what you typed stays in the box."
TOO_LARGE = "The message is too large to send. What you typed stays in the box; shorten it, then send again."
BAD_REQUEST = "The server did not understand that. Reload the page, then try again; what you typed stays in the box."
NOT_FOUND = "This conversation no longer exists. What you typed stays in the box; copy it into a new chat."
SERVER_ERROR = "Something went wrong on our side. What you typed is still in the box; please try again."


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a POST without a valid CSRF token, with status 403."""
    if wants_sentence(request):
        return sentence(request, OUT_OF_DATE, 403)
    return render(request, "403_csrf.html", {"typed": request.POST.get("message", "")}, status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Respond to a malformed request with status 400, or 413 when it is too large."""
    if isinstance(exception, DisallowedHost):
        return hosts.refusal(request)
    if is_away(exception):
        return unavailable(request, exception)
    too_large = isinstance(exception, RequestDataTooBig)
    status = 413 if too_large else 400
    if wants_sentence(request):
        return sentence(request, TOO_LARGE if too_large else BAD_REQUEST, status)
    response = defaults.bad_request(request, exception)
    response.status_code = status
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Respond with status 404 to a request for what does not exist or belongs to another person."""
    if wants_sentence(request):
        # The chat page itself: the text in its box can be sent elsewhere.
        if request.resolver_match and request.resolver_match.url_name == "conversation-detail":
            return render(request, "conversations/messages/_gone.html", status=404)
        return sentence(request, NOT_FOUND, 404)
    return render(request, "404.html", {"typed": request.POST.get("message", "")}, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Respond to a failed request with status 500; renders none of the page's templates, as one may have failed."""
    if is_away(error := sys.exception()):
        return unavailable(request, error)
    if wants_sentence(request):
        return HttpResponse(f"<p>{SERVER_ERROR}</p>", status=500)
    return defaults.server_error(request)


def is_away(error: BaseException | None) -> bool:
    """Whether the error was caused by a database that is unreachable or cannot continue."""
    return error is not None and any(isinstance(each, DATABASE_AWAY) for each in faults.chain(error))


def unavailable(request: HttpRequest, error: BaseException | None) -> HttpResponse:
    """Respond with status 503 when the database is away or full, for people and for programs. Causes no query."""
    if full := readiness.is_full(error):
        logger.error("The database cannot store anything: its disk is full. Make room on it.")
    if request.path_info.startswith(PROGRAMS):
        problem = problems.Problem("unavailable", problems.FULL if full else "")
        return problems.answer(problem, door=problems.is_door(request))
    if wants_sentence(request):
        response = HttpResponse(f"<p>{FULL if full else AWAY}</p>", status=503)
    else:
        context = {"typed": request.POST.get("message", ""), "sentence": FULL if full else ""}
        response = HttpResponse(render_to_string("503.html", context), status=503)
    response["Retry-After"] = str(RETRY_AFTER)
    return response


def wants_sentence(request: HttpRequest) -> bool:
    """Whether htmx sent the request, which shows the response near the composer."""
    return bool(getattr(request, "htmx", False))


def sentence(request: HttpRequest, text: str, status: int) -> HttpResponse:
    """The response to htmx: a sentence in a notice."""
    return render(request, "_notice.html", {"notice": text}, status=status)
