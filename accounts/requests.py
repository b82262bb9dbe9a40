"""Requests of signed-in people, and what any page may carry in its address or form."""

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails

from accounts.models import User
from chatbot.core.cursors import Cursor


class PersonRequest(HttpRequest):
    """A request of a signed-in person."""

    htmx: HtmxDetails
    user: User


def next_url(request: PersonRequest) -> str:
    """Address of the form's page, as the form names it, if that is on this site; else a new chat."""
    named = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(named, {request.get_host()}, require_https=request.is_secure())
    return named if safe else reverse("conversation-new")


def cursor(request: PersonRequest, name: str) -> Cursor | None:
    """The cursor in the address, or None. Raises `BadRequest` when it is malformed."""
    try:
        return Cursor.parse(request.GET.get(name, ""))
    except ValueError as error:
        raise BadRequest("That is not a cursor.") from error
