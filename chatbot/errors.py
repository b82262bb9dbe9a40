"""Answers for what went wrong outside a view: a page, or a sentence for htmx. What was typed is given back."""

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import defaults

OUT_OF_DATE = "This page is out of date. Reload it, then send again; what you typed stays in the box."
TOO_LARGE = "That is too large to be sent. What you typed stays in the box; shorten it, then send again."
BAD_REQUEST = "The server did not understand that. Reload the page, then try again; what you typed stays in the box."
NOT_FOUND = "This conversation is not there any more. What you typed stays in the box; copy it into a new chat."
SERVER_ERROR = "Something went wrong on our side. What you typed is still in the box; please try again."


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a POST without a valid CSRF token, with status 403."""
    if wants_sentence(request):
        return sentence(request, OUT_OF_DATE, 403)
    return render(request, "403_csrf.html", {"typed": request.POST.get("message", "")}, status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that makes no sense, with status 400, or 413 when it is too large."""
    too_large = isinstance(exception, RequestDataTooBig)
    status = 413 if too_large else 400
    if wants_sentence(request):
        return sentence(request, TOO_LARGE if too_large else BAD_REQUEST, status)
    response = defaults.bad_request(request, exception)
    response.status_code = status
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request for what is not there, or is another's, with status 404."""
    if wants_sentence(request):
        return sentence(request, NOT_FOUND, 404)
    return render(request, "404.html", {"typed": request.POST.get("message", "")}, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a request whose view failed, with status 500. Renders no template: it may be one that failed."""
    if wants_sentence(request):
        return HttpResponse(f"<p>{SERVER_ERROR}</p>", status=500)
    return defaults.server_error(request)


def wants_sentence(request: HttpRequest) -> bool:
    """Whether htmx asks, which shows the answer near the composer."""
    return bool(getattr(request, "htmx", False))


def sentence(request: HttpRequest, text: str, status: int) -> HttpResponse:
    """The answer to htmx."""
    return render(request, "conversations/_notice.html", {"notice": text}, status=status)
