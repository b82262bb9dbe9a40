"""Views of the site itself."""

from datetime import UTC, datetime, time, timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View

from chatbot.core import readiness

SECURITY_DAYS = 180
"""For how long what `security.txt` says may be believed."""


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


@method_decorator(login_not_required, name="dispatch")
class SecurityView(View):
    """Says whom to tell of a vulnerability (RFC 9116)."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer with `SECURITY_CONTACT` as plain text; without one there is no such page."""
        if not settings.SECURITY_CONTACT:
            raise Http404
        # The date says that the file is kept up: it is made for each who asks.
        ends = datetime.combine(datetime.now(UTC).date() + timedelta(days=SECURITY_DAYS), time(tzinfo=UTC))
        lines = [f"Contact: {contact}" for contact in settings.SECURITY_CONTACT]
        lines += [f"Expires: {ends:%Y-%m-%dT%H:%M:%SZ}", f"Canonical: {request.build_absolute_uri(request.path)}"]
        return HttpResponse("".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8")
