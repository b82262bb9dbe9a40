"""Views that list conversations: all of them, the archive, the trash."""

from django.http import HttpResponse
from django.views import View

from accounts.requests import PersonRequest, cursor
from chatbot.web import shell
from conversations.pages.lists import listing


class ListingView(View):
    """One list of conversations, with actions on several selected ones."""

    name = ""

    def get(self, request: PersonRequest) -> HttpResponse:
        """Show one page of the list."""
        context = listing(self.name, request.user, cursor(request, "after"))
        return shell.page(request, "conversations/listing.html", context)
