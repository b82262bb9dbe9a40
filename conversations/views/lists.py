"""Views that list conversations: all of them, the archive, the trash."""

from django.http import HttpResponse
from django.views import View

from conversations.pages.lists import listing
from conversations.views.answers import list_page
from conversations.views.requests import ChatRequest, cursor


class ListingView(View):
    """One list of conversations, with actions on several selected ones."""

    name = ""

    def get(self, request: ChatRequest) -> HttpResponse:
        """Show one page of the list."""
        context = listing(self.name, request.user, cursor(request, "after"))
        return list_page(request, "conversations/listing.html", context)
