"""Errors of the API: one code for each reason, as `application/problem+json`."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import get_script_prefix
from ninja.errors import AuthenticationError, HttpError, ValidationError

from chatbot.core import readiness
from chatbot.core.errors import CODES, Kind, Refusal, UserFacingError, add_kinds
from chatbot.core.threads import DATABASE_AWAY
from chatbot.core.upstream import Upstream
from chatbot.web import door_errors
from chatbot.web.door_errors import DoorError
from chatbot.web.wording import in_words

logger = logging.getLogger(__name__)

FULL = "The database's disk is full: nothing can be stored."

DOCS = "/api/docs"
DOOR = "/v1/"
"""Path prefix of the API in OpenAI's format, whose errors have its form."""

OWN = {
    "bad_request": Kind(400, "The server does not understand this request."),
    "invalid_token": Kind(401, "The token is missing, invalid or expired, or it belongs to another user."),
    "wrong_credentials": Kind(401, "The e-mail address or the password is wrong."),
    "email_not_verified": Kind(403, "Verify your e-mail address first: the site's page “E-mail address” sends a link."),
    "read_only_token": Kind(403, "This token is read-only."),
    "not_found": Kind(404, "This does not exist, or it belongs to somebody else."),
    "model_not_found": Kind(404, "This site does not offer that model."),
    "method_not_allowed": Kind(405, "This address does not support that method."),
    "too_large": Kind(413, "The request is too large."),
    "invalid": Kind(422, "The request is not valid: `errors` names the fields."),
    "idempotency_key_reused": Kind(422, "This Idempotency-Key was used for another message."),
    "too_many_requests": Kind(429, "This token has reached its limit of requests per minute.", 60),
    "too_many_attempts": Kind(429, "Too many attempts to sign in. Try again later.", 300),
    "too_many_streams": Kind(429, "You have reached the limit of requests waiting for a reply at the same time.", 5),
    "internal": Kind(500, "Something went wrong on the server."),
    "interrupted": Kind(503, "This server is restarting. The reply continues: request its stream.", 1),
    "unavailable": Kind(503, "The database or the identity provider cannot be reached now.", 5),
}
"""Code -> kind of error, for errors that only programs read. The classes of the others enter their own."""

add_kinds(OWN)

TOLD_MOST = 20
"""Invalid fields that an error names: a list of thousands of objects can have as many of them."""

NOT_JSON = "The body of the request is not valid JSON."


class Problem(Exception):
    """A request that cannot be done as it stands, with the reason."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        upstream: Upstream | None = None,
        is_lasting: bool = False,
        **members: Any,
    ) -> None:
        """Make the problem with a `code` of which programs are told; any other becomes `internal`.

        `upstream` is the provider's refusal, if there was one; `is_lasting` means that the same request would fail
        again; `members` are added to the response's body.
        """
        row = CODES.get(code)
        self.code, self.kind = (code, row.kind) if row and row.kind else ("internal", OWN["internal"])
        self.upstream = upstream
        self.is_lasting = is_lasting
        super().__init__(detail or self.kind.sentence)
        self.members = members
        self.headers = dict(headers or {})
        if self.kind.retry_after:
            self.headers.setdefault("Retry-After", str(self.kind.retry_after))
        if self.kind.status == 401:
            self.headers["WWW-Authenticate"] = 'Bearer realm="api"'

    @property
    def body(self) -> dict[str, Any]:
        """Fields of the response: those of RFC 9457, `code`, and further members."""
        return {
            "type": f"{get_script_prefix().rstrip('/')}{DOCS}#{self.code}",
            "title": self.kind.sentence,
            "status": self.kind.status,
            "detail": str(self),
            "code": self.code,
            **self.members,
        }

    @property
    def at_door(self) -> DoorError:
        """The problem as an error for OpenAI's clients."""
        return door_errors.leaving(
            self.code,
            self.kind.status,
            # Why a token could not be read is for those who issue tokens.
            self.kind.sentence if self.code == "invalid_token" else str(self),
            self.headers,
            errors=self.members.get("errors") or (),
            upstream=self.upstream,
            is_lasting=self.is_lasting or "message_id" in self.members,
        )


def kinds() -> dict[str, Kind]:
    """Return code -> kind of error for all that programs are told of, in the order of statuses."""
    found = {code: row.kind for code, row in CODES.items() if row.kind}
    return dict(sorted(found.items(), key=lambda item: (item[1].status, item[0])))


def is_door(request: HttpRequest) -> bool:
    """Whether the request uses the API in OpenAI's format."""
    return request.path_info.startswith(DOOR) or request.path_info == DOOR[:-1]


def answer(problem: Problem, *, door: bool = False) -> HttpResponse:
    """The response with the problem, in OpenAI's format at the `door`."""
    if door:
        status, body, headers = problem.at_door
        return HttpResponse(json.dumps(body), "application/json", status, headers=headers)
    kind = "application/problem+json"
    return HttpResponse(json.dumps(problem.body), kind, problem.kind.status, headers=problem.headers)


def as_problem(error: Exception) -> Problem:
    """The problem for an exception; an unexpected exception is logged."""
    match error:
        case Problem():
            return error
        case Refusal():
            return Problem(error.code, str(error) if error.is_told else "")
        case AuthenticationError():
            return Problem("invalid_token")
        case UserFacingError():
            return _user_facing(error)
        case ValidationError(errors=errors):
            return _invalid(errors)
        case Http404():
            return Problem("not_found")
        case RequestDataTooBig():
            return Problem("too_large")
    if isinstance(error, BadRequest | HttpError):
        return Problem("bad_request", NOT_JSON if isinstance(error, HttpError) and error.status_code == 400 else "")
    if isinstance(error, DATABASE_AWAY):
        logger.warning("A request of the API finds no database: %s", error)
        return Problem("unavailable", FULL if readiness.is_full(error) else "")
    logger.error("A request of the API failed.", exc_info=error)
    return Problem("internal")


def _user_facing(error: UserFacingError) -> Problem:
    """The problem for an error that people read as a sentence."""
    return Problem(
        error.program_code or error.code,
        str(error) if error.is_told else "",
        headers=error.headers,
        upstream=error.upstream,
        is_lasting=error.is_lasting,
        **error.members,
    )


def _invalid(errors: list[dict[str, Any]]) -> Problem:
    """The problem for validation errors; an invalid path parameter cannot name an existing object."""
    if any(error["loc"][0] == "path" for error in errors):
        return Problem("not_found")
    return invalid(*dict.fromkeys((_field(error["loc"]), in_words(error)) for error in errors))


def _field(place: tuple[str | int, ...]) -> str:
    """The name of the field at this place: `body`, or the parameter's name and the path within it."""
    source, *way = place
    return ".".join(str(step) for step in (way[1:] if source == "body" and len(way) > 1 else way)) or str(source)


def invalid(*errors: tuple[str, str]) -> Problem:
    """The problem of invalid fields, given as pairs of name and message; only the first of very many are named."""
    listed = [{"field": field, "message": message} for field, message in errors[:TOLD_MOST]]
    return Problem("invalid", errors[0][1], errors=listed)
