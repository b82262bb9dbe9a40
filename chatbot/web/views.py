"""Views of the site itself: health, readiness, security contact."""

from datetime import UTC, datetime, time, timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View

from chatbot.core import readiness

SECURITY_DAYS = 180
"""Days for which `security.txt` declares itself valid."""


@method_decorator(login_not_required, name="dispatch")
class HealthView(View):
    """Reports that the process is alive, without a query."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Respond with `ok` as plain text."""
        return HttpResponse("ok", content_type="text/plain")


@method_decorator(login_not_required, name="dispatch")
class ReadyView(View):
    """Reports whether the process can serve people: the database answers and has this version's schema."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Respond with `ready`, or 503 and what is missing, as plain text."""
        missing = readiness.missing()
        return HttpResponse(missing or "ready", content_type="text/plain", status=503 if missing else 200)


@method_decorator(login_not_required, name="dispatch")
class SecurityView(View):
    """Names the contact for vulnerability reports (RFC 9116)."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Respond with `SECURITY_CONTACT` as plain text; 404 without one."""
        if not settings.SECURITY_CONTACT:
            raise Http404
        # The date shows that the file is maintained: it is computed for each request.
        ends = datetime.combine(datetime.now(UTC).date() + timedelta(days=SECURITY_DAYS), time(tzinfo=UTC))
        lines = [f"Contact: {contact}" for contact in settings.SECURITY_CONTACT]
        lines += [f"Expires: {ends:%Y-%m-%dT%H:%M:%SZ}", f"Canonical: {request.build_absolute_uri(request.path)}"]
        return HttpResponse("".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8")
