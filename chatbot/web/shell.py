"""The shell of the site's pages, `shell.html`: the sidebar, the notices, and a place for what the page is about."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.utils.module_loading import import_string

from chatbot.web.notices import notices


@dataclass(frozen=True, slots=True)
class Place:
    """An app's entry in the sidebar: a link to its page, with the number of things that wait there."""

    name: str
    """The word by which a page says that it is this place, in the `listing` of its context."""
    label: str
    icon: str
    url: str
    count: int = 0
    unit: str = ""
    """What is counted, for those who hear it: `open`."""


def places(request: HttpRequest) -> list[Place]:
    """The entries that the functions of the setting `SIDEBAR_PLACES` give for the request. Causes their queries."""
    functions: list[Callable[[HttpRequest], Place]] = [import_string(name) for name in settings.SIDEBAR_PLACES]
    return [function(request) for function in functions]


def page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """A whole page of a signed-in person, whose template extends `shell.html`.

    The function named by the setting `SIDEBAR` gives the sidebar's context for the request. Causes its queries, and
    those of the sidebar's `places`.
    """
    sidebar = import_string(settings.SIDEBAR)(request)
    shown = context | sidebar | {"places": places(request), "notices": notices(request)}
    response = render(request, template, shown, status=status)
    # Keeps the page out of the browser's cache, where others could read it after sign-out.
    patch_cache_control(response, private=True, no_store=True)
    return response
