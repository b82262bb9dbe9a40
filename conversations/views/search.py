"""The view of the search in a person's conversations."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.views import View

from accounts.requests import PersonRequest
from chatbot.web import shell
from conversations.pages.found import search_context
from conversations.search.searching import QUERY_MAX_CHARS


class SearchView(View):
    """The search in a person's conversations."""

    def get(self, request: PersonRequest) -> HttpResponse:
        """Show the results: alone while the person is typing, else on a whole page."""
        context = search_context(request.user, request.GET.get("q", "")[:QUERY_MAX_CHARS])
        if not request.htmx:
            return shell.page(request, "conversations/search.html", context | {"listing": "search"})
        answer = render(request, "conversations/sidebar/_found.html", context)
        patch_cache_control(answer, private=True, no_store=True)
        patch_vary_headers(answer, ["HX-Request"])
        return answer
