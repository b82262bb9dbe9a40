"""Answers for what went wrong outside a view: a page, or a sentence for htmx."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.csrf import csrf_failure as django_csrf_failure
from django.views.defaults import server_error as django_server_error

OUT_OF_DATE = "This page is out of date. Reload it, then send again; what you typed stays in the box."
SERVER_ERROR = "Something went wrong on our side. What you typed is still in the box; please try again."


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a POST without a valid CSRF token, with status 403."""
    if getattr(request, "htmx", False):
        return render(request, "conversations/_notice.html", {"notice": OUT_OF_DATE}, status=403)
    return django_csrf_failure(request, reason, template_name="403_csrf.html")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a request whose view failed, with status 500."""
    if getattr(request, "htmx", False):
        return HttpResponse(f"<p>{SERVER_ERROR}</p>", status=500)
    response: HttpResponse = django_server_error(request)
    return response
