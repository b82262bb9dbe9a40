"""What can go wrong between the chat and a model provider, in a person's words and in staff's."""

# ruff: noqa: N818 (the errors are named by what happened, as the other errors that a person reads)

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

from conversations.errors import UserFacingError

DETAIL_MAX_CHARS = 2_000
UNREDACTED_MAX_CHARS = 100_000
"""A detail is cut to `DETAIL_MAX_CHARS` only when it is redacted: a cut in the key's middle would hide half of it."""
RETRIED_STATUSES = frozenset({408, 409, 429})


class LLMError(UserFacingError):
    """The assistant could not answer. Your message is saved; please try again."""

    code: ClassVar[str] = "provider_error"

    def __init__(
        self, detail: str = "", *, retry_after: float | None = None, retryable: bool = False, **parameters: object
    ) -> None:
        """Keep, beside the person's sentence, what staff and the retry loop need.

        `detail` is technical text, cut at 2,000 characters, `retry_after` the wait in seconds that the provider asked
        for, `retryable` whether the same request may succeed a moment later.
        """
        super().__init__(**parameters)
        self.detail = detail[:UNREDACTED_MAX_CHARS]
        self.retry_after = retry_after
        self.retryable = retryable


class ProviderKey(LLMError):
    """The assistant is not set up: the model provider did not accept this site's key. Your message is saved.
    Please tell the people who run this site."""

    code = "provider_key"


class ProviderModel(LLMError):
    """The model provider does not offer this model. Your message is saved. Choose another model, or tell the people
    who run this site."""

    code = "provider_model"


class ProviderRateLimited(LLMError):
    """The model provider is receiving too many requests. Your message is saved. Please try again {wait}."""

    code = "provider_rate_limited"

    def __init__(self, detail: str = "", *, retry_after: float | None = None, retryable: bool = True) -> None:
        super().__init__(detail, retry_after=retry_after, retryable=retryable, wait=wait_in_words(retry_after))


class ProviderQuota(LLMError):
    """This site has used up what it may ask of the model provider. Your message is saved. Please tell the people who
    run this site."""

    code = "provider_quota"


class ContextTooLong(LLMError):
    """This conversation has grown too long for the model. Everything in it is saved. Send a shorter message, or start
    a new chat."""

    code = "context_too_long"


class ContentFiltered(LLMError):
    """The model provider's content filter stopped this answer. What was written so far is saved. Try to word your
    message differently."""

    code = "content_filter"


class ProviderUnreachable(LLMError):
    """The model provider could not be reached. Your message is saved. Please try again in a moment."""

    code = "provider_unreachable"


class ProviderTimeout(LLMError):
    """The model took too long to answer. What was written so far is saved. Please try again."""

    code = "provider_timeout"


class ProviderBrokeOff(LLMError):
    """The answer broke off in the middle. What was written so far is saved. Try again for a whole answer."""

    code = "provider_broke_off"


class ProviderUnavailable(LLMError):
    """The model provider is having trouble at the moment. Your message is saved. Please try again {wait}."""

    code = "provider_unavailable"

    def __init__(self, detail: str = "", *, retry_after: float | None = None, retryable: bool = True) -> None:
        super().__init__(detail, retry_after=retry_after, retryable=retryable, wait=wait_in_words(retry_after))


class ProviderProtocol(LLMError):
    """The model provider sent something that could not be read as an answer. Your message is saved. Please try again;
    if it happens again, tell the people who run this site."""

    code = "provider_protocol"


class ProviderRefused(LLMError):
    """The model provider refused this request. Your message is saved. Please try again; if it happens again, tell the
    people who run this site."""

    code = "provider_refused"


class ProviderTemperature(LLMError):
    """This model does not take the temperature of this chat. Your message is saved. Take the temperature out of the
    chat's settings, then press Retry."""

    code = "provider_temperature"


# Providers give the same failure many names. Each pattern is looked for in the error's code, type and message.
CONTEXT = re.compile(
    r"context_length_exceeded|exceed_context_size|string_above_max_length|contextwindowexceeded"
    r"|maximum (context|input) length|context (length|size|window)|maximum allowed length"
    r"|too many tokens|prompt is too long|input is too long|too large for model|request too large for model"
    r"|token count .{0,40}exceeds|exceeds? the (maximum|limit).{0,40}tokens"
    r"|reduce the length of the (input|messages?|prompt)"
    r"|`?inputs`? (tokens|must have less)",
    re.IGNORECASE,
)
FILTER = re.compile(
    r"content_filter|content[_ ]policy|responsibleaipolicy|moderation_blocked|requires moderation|was flagged",
    re.IGNORECASE,
)
QUOTA = re.compile(
    r"insufficient_quota|billing_(hard_limit|not_active)|insufficient (balance|credits?|funds)|balance is too low",
    re.IGNORECASE,
)
MODEL = re.compile(
    r"model_not_found|invalid_model|invalid model|not a valid model|unknown model"
    r"|model\b.{0,120}(does not exist|not found|decommissioned)",
    re.IGNORECASE,
)
KEY = re.compile(r"invalid_api_key|(incorrect|invalid) api key|api key not valid|no auth credentials", re.IGNORECASE)


def from_response(
    status: int, body: bytes | str | Any, headers: Mapping[str, str], *, now: datetime | None = None
) -> LLMError:
    """Return the error for an answer with HTTP `status` of 400 or more, or for an error object inside a stream.

    `body` is the raw text or the decoded JSON. `status` 0 means that the object named none; its `code` may.
    """
    text, found = describe(body)
    status = status or found
    detail = f"HTTP {status}: {text}" if status else text
    wait = retry_after(headers, now=now)
    told_not_to = headers.get("x-should-retry") == "false"
    # llama.cpp has answered 500 to a prompt that is too long, and some gateways 429: the words go before the number.
    if QUOTA.search(text) or status == 402:
        return ProviderQuota(detail)
    if status == 429 or (not status and re.search(r"rate.?limit|too many requests", text, re.IGNORECASE)):
        return ProviderRateLimited(detail, retry_after=wait, retryable=not told_not_to)
    if CONTEXT.search(text) or status == 413:
        return ContextTooLong(detail)
    if FILTER.search(text):
        return ContentFiltered(detail)
    if status in {401, 403} or (status < 500 and KEY.search(text)):
        return ProviderKey(detail)
    if status == 404 or (status < 500 and MODEL.search(text)):
        return ProviderModel(detail)
    if status >= 500 or (not status and "invalid_request" not in text):
        return ProviderUnavailable(detail, retry_after=wait, retryable=not told_not_to)
    return ProviderRefused(detail, retry_after=wait, retryable=status in RETRIED_STATUSES and not told_not_to)


def describe(body: bytes | str | Any) -> tuple[str, int]:
    """Return the technical text of an error body, and the HTTP status that it names (0 when none).

    Understands `{"error": {…}}` (OpenAI, llama.cpp, newer vLLM), the same in a list (Gemini), `{"error": "…"}`
    (Ollama), `{"message": …}` (Cohere, older vLLM) and `{"detail": …}` (FastAPI). Of any other JSON only the names of
    its fields are told, because validators like to repeat the input.
    """
    if isinstance(body, bytes):
        body = body.decode(errors="replace")
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return " ".join(body.split()) or "(no text)", 0
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return str(body), 0
    error = body.get("error", body)
    if not isinstance(error, dict):
        return str(error), 0
    named = [str(error[name]) for name in ("code", "type", "status", "param") if error.get(name)]
    message = error.get("message") or error.get("msg") or _validation(error.get("detail"))
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else 0
    if isinstance(message, str) and message:
        named.append(message)
    return " · ".join(named) or f"fields: {', '.join(map(str, error))}", status


def _validation(detail: object) -> str:
    """Return FastAPI's `detail`, a text or a list of problems, without the input that it repeats."""
    if isinstance(detail, list):
        return "; ".join(f"{item.get('loc')}: {item.get('msg')}" for item in detail if isinstance(item, dict))
    return detail if isinstance(detail, str) else ""


WAIT_MOST = 365 * 86_400.0
"""Seconds; a longer wait is as good as none."""


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Return the seconds that a provider asks to wait, from `retry-after-ms` or `Retry-After` (seconds or a date)."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return min(float(value) * scale, WAIT_MOST)
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", ""))
    except (ValueError, OverflowError):
        return None
    # A date without a zone is in UTC, as HTTP dates are.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def wait_in_words(seconds: float | None) -> str:
    """Return "in about 20 seconds", or "in a moment" when the wait is short or unknown."""
    if seconds is None or seconds < 3:
        return "in a moment"
    for unit, size, least in (("hour", 3_600, 5_400), ("minute", 60, 90), ("second", 1, 0)):
        if seconds >= least:
            count = max(1, round(seconds / size))
            return f"in about {count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError  # the last row takes every wait


REDACTED = "[…]"
GRAM = 12


def redact(text: str, *, key: str, contents: Iterable[str]) -> str:
    """Return `text` without the key and without what the person or the model wrote, as far as it repeats them.

    A passage of a message is found when 23 characters of it or more stand in `text`; a short message, when it stands
    there whole.
    """
    contents = list(contents)
    # A gateway that repeats the request inside its own answer writes it as JSON does.
    contents += [json.dumps(content)[1:-1] for content in contents]
    if key:
        text = text.replace(key, REDACTED)
    text = re.sub(r"\bsk-[\w*.…-]+", REDACTED, text)
    grams: dict[str, tuple[str, int]] = {}
    for content in contents:
        short = content.strip()
        if 1 < len(short) < 2 * GRAM:
            text = re.sub(rf"(?<!\w){re.escape(short)}(?!\w)", REDACTED, text)
        for start in range(0, len(content) - GRAM + 1, GRAM):
            grams.setdefault(content[start : start + GRAM], (content, start))
    kept: list[str] = []
    position = 0
    while position < len(text):
        content, start = grams.get(text[position : position + GRAM], ("", 0))
        if not content:
            kept.append(text[position])
            position += 1
            continue
        before = start
        while kept and before and kept[-1] == content[before - 1]:
            kept.pop()
            before -= 1
        while position < len(text) and start < len(content) and text[position] == content[start]:
            position += 1
            start += 1
        kept.append(REDACTED)
    return "".join(kept)[:DETAIL_MAX_CHARS]
