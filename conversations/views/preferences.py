"""The view on preferences for the page's look."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.views import View

from accounts.requests import PersonRequest, next_url
from chatbot.core.preferences import CHOICES

PREFERENCE_AGE = 365 * 24 * 60 * 60
"""Seconds for which a browser remembers a preference."""


@method_decorator(login_not_required, name="dispatch")
class PreferencesView(View):
    """Preferences for the page's look, kept in cookies."""

    def post(self, request: PersonRequest) -> HttpResponse:
        """Store the preferences that the form names."""
        response = HttpResponse(status=204) if request.htmx else HttpResponseRedirect(next_url(request))
        for name, values in CHOICES.items():
            if (value := request.POST.get(name)) in values:
                response.set_cookie(name, value, max_age=PREFERENCE_AGE, samesite="Lax", secure=request.is_secure())
        return response
