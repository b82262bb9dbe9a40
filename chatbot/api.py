"""The API of all apps: its operations, its description, and its addresses, each with and without a slash at its end."""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, re_path
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

import tasks.api
from accounts.bearer import BearerToken
from accounts.rates import Rate
from chatbot.web import problems
from chatbot.web.api import json_response
from chatbot.web.problems import Problem
from conversations.api import chat, conversations, docs, documents, door, tokens, tool_calls

api = NinjaAPI(
    title="Chatbot",
    version="1",
    description="The conversations and tasks of the page, for programs.",
    openapi_url=None,
    auth=BearerToken(),
    urls_namespace="api",
)
for router in (tokens.router, chat.router, conversations.router, tool_calls.router, tasks.api.router):
    api.add_router("/api", router)
api.add_router("/v1", door.router)


@api.exception_handler(Exception)
# Replaces the library's own responses for these exceptions.
@api.exception_handler(HttpError)
@api.exception_handler(Http404)
@api.exception_handler(ValidationError)
def refuse(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    """Respond with the problem for an exception."""
    raised = error if isinstance(error, Exception) else error()
    return problems.answer(problems.as_problem(raised), door=problems.is_door(request))


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, as a dictionary."""
    return documents.openapi(api.get_openapi_schema(path_prefix=""))


def openapi(request: HttpRequest) -> HttpResponse:
    """Respond with the OpenAPI document as JSON."""
    return json_response(document())


def read(request: HttpRequest) -> HttpResponse:
    """Respond with the OpenAPI document as a readable page."""
    return docs.page(request, document())


def nothing(request: HttpRequest, path: str) -> HttpResponse:
    """Respond to an unknown address with the known ones."""
    if not problems.is_door(request):
        return refuse(request, Problem("not_found"))
    there = ", ".join(f"{method} {path}" for method, path in operations(problems.DOOR))
    return refuse(
        request, Problem("not_found", f"There is no {request.method} {request.path_info} here. There is {there}.")
    )


@cache
def operations(below: str) -> list[tuple[str, str]]:
    """Method and path of each operation below this path."""
    return [
        (method.upper(), path)
        for path, described in document()["paths"].items()
        for method in described
        if path.startswith(below)
    ]


def public(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The view without the page's sign-in: only the token authenticates, cookies are ignored, nothing is cached."""

    @csrf_exempt
    @login_not_required
    @wraps(view)
    def wrapped(request: HttpRequest, **parameters: Any) -> HttpResponseBase:
        response = view(request, **parameters)
        if response.status_code == 405:
            allowed = response.headers["Allow"]
            problem = Problem("method_not_allowed", f"This address takes {allowed}.", headers={"Allow": allowed})
            response = problems.answer(problem, door=problems.is_door(request))
        rate: Rate | None = getattr(request, "rate", None)
        for name, value in {"Cache-Control": "no-store", **(rate.headers if rate else {})}.items():
            response.headers.setdefault(name, value)
        return response

    return wrapped


def routes() -> list[URLPattern]:
    """URL patterns of all operations, with and without a final slash."""
    found = [pattern for pattern in api.urls[0] if isinstance(pattern, URLPattern) and pattern.name != "api-root"]
    views = {str(pattern.pattern): public(pattern.callback) for pattern in found}
    return [path(f"{route}{end}", view) for route, view in views.items() for end in ("", "/")]


urlpatterns = [
    path("api/openapi.json", public(openapi), name="api-openapi"),
    path("api/docs", public(read), name="api-docs"),
    path("api/docs/", public(read)),
    *routes(),
    re_path(r"^(?P<path>(?:api|v1)(?:/[\s\S]*)?)$", public(nothing), name="api-nothing"),
]
