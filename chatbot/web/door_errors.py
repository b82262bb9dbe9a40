"""Errors for OpenAI's clients: status, type and code of each problem at the door.

Clients choose an exception by the status, and gateways another model by the code; errors for which a retry is useless
have `x-should-retry: false`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chatbot.core.upstream import Upstream

NO_RETRY = "x-should-retry"
"""Header that tells OpenAI's clients whether to retry."""

INVALID = "invalid_request_error"
CONTEXT = "context_length_exceeded"
TELLING = "This model's maximum context length is"
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
MESSAGE_MAX_CHARS = 2_000
AGAIN = frozenset({408, 409, 425, 429})
"""Statuses below 500 after which the same request may succeed."""


class Form(NamedTuple):
    """How one kind of problem is sent."""

    status: int
    code: str
    param: str | None = None
    type: str = INVALID
    is_quoted: bool = False
    """Whether the provider's words describe the request, and are passed on."""


FORMS = {
    "invalid": Form(400, "invalid"),
    "idempotency_key_reused": Form(400, "idempotency_key_reused"),
    "model_not_found": Form(404, "model_not_found", "model"),
    "context_too_long": Form(400, CONTEXT, "messages", is_quoted=True),
    "message_too_long": Form(400, CONTEXT, "messages", is_quoted=True),
    "content_filter": Form(400, "content_filter", is_quoted=True),
    "provider_address": Form(404, "provider_address"),
    "provider_blocked": Form(403, "provider_blocked", type="permission_error"),
    "provider_instructions": Form(400, "provider_instructions", "messages", is_quoted=True),
    "provider_key": Form(401, "provider_key", type="authentication_error"),
    "provider_model": Form(404, "model_not_found", "model"),
    "provider_quota": Form(429, "insufficient_quota", type="insufficient_quota"),
    "provider_rate_limited": Form(429, "rate_limit_exceeded", type="rate_limit_error"),
    "provider_refused": Form(400, "provider_refused", is_quoted=True),
    "provider_temperature": Form(400, "unsupported_value", "temperature", is_quoted=True),
}
"""Problem's code -> form; other problems keep their status and code."""

FOR_GOOD = frozenset(FORMS) - {"provider_rate_limited"} | {"provider_protocol"}
"""Codes of problems that a repetition of the request would only meet again."""

THEIR_STATUS = {"provider_key": {401, 403}, "provider_address": {404, 405}, "provider_refused": set(range(400, 500))}
"""Statuses of the provider that replace the problem's own, because they are more exact."""

THEIR_HEADERS = ("retry-after", "x-ratelimit-", "x-should-retry")
"""Prefixes of the provider's headers that are passed on: about its limits, not this site's."""


class DoorError(NamedTuple):
    """An error that is ready to be sent."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


def leaving(
    code: str,
    status: int,
    sentence: str,
    headers: Mapping[str, str],
    *,
    errors: Sequence[Mapping[str, str]] = (),
    upstream: Upstream | None = None,
    is_lasting: bool = False,
) -> DoorError:
    """The error for a problem with this code, status, sentence and headers; `errors` are the invalid fields.

    `upstream` is the provider's refusal, if there was one. After an error that `is_lasting` the same request would fail
    again, or be stored as another turn.
    """
    form = FORMS.get(code) or Form(status, code, type=TYPES.get(status, "server_error" if status >= 500 else INVALID))
    status = form.status
    if upstream and upstream.status in THEIR_STATUS.get(code, ()):
        status = upstream.status
    sent = dict(headers)
    if upstream:
        sent = {name: value for name, value in sent.items() if name.lower() != "retry-after"}
        sent |= {name: value for name, value in upstream.headers.items() if name.startswith(THEIR_HEADERS)}
    for_good = code in FOR_GOOD and status not in AGAIN or code == "provider_quota"
    if is_lasting or for_good:
        sent[NO_RETRY] = "false"
    error = {
        "message": _message(form, sentence, errors, upstream),
        "type": form.type,
        "param": errors[0]["field"] if errors else form.param,
        "code": form.code,
    }
    if code == "provider_key" and status == 403:
        error["type"] = TYPES[status]
    if code == "provider_refused" and upstream:
        error["param"] = upstream.param or None
        if upstream.code and not upstream.code.isdigit():
            error["code"] = upstream.code
    return DoorError(status, {"error": error}, sent)


def _message(form: Form, sentence: str, errors: Sequence[Mapping[str, str]], upstream: Upstream | None) -> str:
    """All error messages in one text, each once."""
    if errors:
        return " ".join(dict.fromkeys(f"{error['field']}: {error['message']}" for error in errors))
    message = sentence
    if form.is_quoted and upstream and upstream.message:
        message = f"{sentence.rstrip('.')}: {upstream.message}"[:MESSAGE_MAX_CHARS]
    # LangChain searches the code in the text, which is all that newer clients show; LiteLLM searches OpenAI's words.
    if form.code == CONTEXT and TELLING not in message:
        message = f"{TELLING} exceeded. {message}"
    return f"{message} ({form.code})" if form.code == CONTEXT and form.code not in message else message
