"""The shell of the site's pages, `shell.html`: the sidebar, the notices, and a place for what the page is about."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.utils.module_loading import import_string

from chatbot.web.notices import notices


def page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """A whole page of a signed-in person, whose template extends `shell.html`.

    The function named by the setting `SIDEBAR` gives the sidebar's context for the request. Causes its queries.
    """
    sidebar = import_string(settings.SIDEBAR)
    response = render(request, template, context | sidebar(request) | {"notices": notices(request)}, status=status)
    # Keeps the page out of the browser's cache, where others could read it after sign-out.
    patch_cache_control(response, private=True, no_store=True)
    return response
