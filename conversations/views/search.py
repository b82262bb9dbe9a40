"""Finding what was said."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.views import View

from conversations.pages.found import search_context
from conversations.search.searching import QUERY_MAX_CHARS
from conversations.views.answers import list_page
from conversations.views.requests import ChatRequest


class SearchView(View):
    """What a person's conversations hold of a few words."""

    def get(self, request: ChatRequest) -> HttpResponse:
        """Show it: only the results to somebody who is typing, else the page."""
        context = search_context(request.user, request.GET.get("q", "")[:QUERY_MAX_CHARS])
        if not request.htmx:
            return list_page(request, "conversations/search.html", context | {"listing": "search"})
        answer = render(request, "conversations/sidebar/_found.html", context)
        patch_cache_control(answer, private=True, no_store=True)
        patch_vary_headers(answer, ["HX-Request"])
        return answer
