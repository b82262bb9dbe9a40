"""Views of the site itself."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View

from chatbot import readiness


@method_decorator(login_not_required, name="dispatch")
class HealthView(View):
    """Says that the process is alive; asks nothing of the database."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer `ok` as plain text."""
        return HttpResponse("ok", content_type="text/plain")


@method_decorator(login_not_required, name="dispatch")
class ReadyView(View):
    """Says whether the process can serve people: the database answers, and is as this version needs it."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer `ready`, or 503 with what is missing, as plain text."""
        missing = readiness.missing()
        return HttpResponse(missing or "ready", content_type="text/plain", status=503 if missing else 200)
