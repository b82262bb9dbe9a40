"""Views of the site itself."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View


@method_decorator(login_not_required, name="dispatch")
class HealthView(View):
    """Says that the process is alive; asks nothing of the database."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer `ok` as plain text."""
        return HttpResponse("ok", content_type="text/plain")
