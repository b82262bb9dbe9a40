"""The view of a person's usage and limits."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from accounts.requests import PersonRequest
from conversations.models import Period, TurnWindow
from conversations.usage import limits


@method_decorator(never_cache, name="dispatch")
class UsageView(View):
    """A person's usage of their limits."""

    def get(self, request: PersonRequest) -> HttpResponse:
        """Show all limits; in the menu, only the number of which least is left."""
        standings = limits.standings_of(request.user)
        if request.htmx:
            nearest = max(standings, key=lambda standing: standing.percent, default=None)
            return HttpResponse(nearest.sentence if nearest else "", "text/plain")
        usage = TurnWindow.usage_of(request.user)
        used = [limits.usage_in_words(usage, period) for period in Period]
        return render(request, "conversations/usage.html", {"standings": standings, "used": used})
