"""A provider's refusal, in whichever form it comes, read into one kind of value."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from chatbot.core.upstream import Upstream

WAIT_MOST = 365 * 86_400.0
"""Seconds; a longer wait is treated as this one."""

STATUSES = {
    "authentication_error": 401,
    "auth_error": 401,
    "unauthenticated": 401,
    "unauthorized": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "forbidden": 403,
    "not_found_error": 404,
    "notfounderror": 404,
    "not_found": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "ratelimiterror": 429,
    "too_many_requests": 429,
    "resource_exhausted": 429,
    "invalid_request_error": 400,
    "invalid_request": 400,
    "invalid_argument": 400,
    "badrequesterror": 400,
    "bad_request": 400,
    "server_error": 500,
    "api_error": 500,
    "internal": 500,
    "internal_error": 500,
    "internalservererror": 500,
    "overloaded_error": 529,
    "unavailable": 503,
}
"""HTTP statuses for words that errors have as their code, type or status, in lower case."""

LIMIT_HEADER = re.compile(r"(x-)?ratelimit-[\w-]+|retry-after(-ms)?|x-should-retry", re.IGNORECASE)


def read(status: int, body: bytes | str | Any, headers: Mapping[str, str], *, now: datetime | None = None) -> Upstream:
    """Read an error with this HTTP status, 0 for an error inside an answer; `body` is raw or decoded JSON.

    Understands `{"error": {…}}` (OpenAI, llama.cpp, newer vLLM), such an object in a list (Gemini), `{"error": "…"}`
    (Ollama), `{"message": …}` (Cohere, older vLLM), `{"detail": …}` (FastAPI), `{"error_code": …, "error_msg": …}`.
    """
    decoded, is_structured = _decoded(body)
    error = decoded
    if isinstance(decoded, dict):
        error = decoded.get("error") or decoded
    limits = {name.lower(): value for name, value in headers.items() if LIMIT_HEADER.fullmatch(name)}
    wait = retry_after(headers, now=now)
    if not isinstance(error, dict):
        message = " ".join(str(error).split())
        # Do not use the raw text: a message that is a list or an object would repeat what was sent.
        outer = decoded if isinstance(decoded, dict) else {}
        found = _status(outer)
        return Upstream(
            _more_precise(status, found),
            _text(outer.get("type")),
            _text(outer.get("code")),
            _text(outer.get("param")),
            message,
            wait,
            limits,
            is_structured,
            message or "(no text)",
        )
    message = _message(error)
    code = _text(error.get("code") or error.get("error_code"))
    named = [code, *(_text(error.get(name)) for name in ("type", "status", "param"))]
    text = " · ".join(filter(None, [*named, message])) or f"fields: {', '.join(map(str, error))}"
    found = _status(error) or (_status(decoded) if isinstance(decoded, dict) else 0)
    kind, param = _text(error.get("type")), _text(error.get("param"))
    return Upstream(_more_precise(status, found), kind, code, param, message, wait, limits, is_structured, text)


def _decoded(body: bytes | str | Any) -> tuple[Any, bool]:
    if isinstance(body, bytes):
        body = body.decode(errors="replace")
    is_structured = True
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            is_structured = False
    if isinstance(body, list) and body:
        body = body[0]
    return body, is_structured


def _message(error: dict[str, Any]) -> str:
    for name in ("message", "msg", "error_msg", "error_message", "detail", "title"):
        value = error.get(name)
        if isinstance(value, list):
            # FastAPI's problems, without the input that they repeat.
            value = "; ".join(f"{item.get('loc')}: {item.get('msg')}" for item in value if isinstance(item, dict))
        if isinstance(value, str) and value:
            return value
    return ""


def _text(value: object) -> str:
    """A word or number as text; empty for Python's None, which some servers write for nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    return "" if text in {"None", "null", "0"} else text


def _status(error: dict[str, Any]) -> int:
    """The HTTP status that an error names, as a number, as text or by a word; 0 for none."""
    values = [_text(error.get(name)) for name in ("code", "status", "status_code", "http_status", "error_code", "type")]
    for value in values:
        if re.fullmatch(r"[45]\d\d(\.0)?", value):
            return int(value[:3])
    return next((STATUSES[value.lower()] for value in values if value.lower() in STATUSES), 0)


def _more_precise(status: int, found: int) -> int:
    """The response's status or the error's: some gateways answer 500 when the server behind them answered 400."""
    return found if not status or (status >= 500 and 400 <= found < 500) else status


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds that a provider asks to wait, from `retry-after-ms` or `Retry-After` (seconds or a date), or None."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return min(float(value) * scale, WAIT_MOST)
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", ""))
    except (ValueError, OverflowError):
        return None
    # A date without a time zone is in UTC, as HTTP dates are.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
