"""Failures between the chat and a model provider, in words for people and in details for staff."""

# ruff: noqa: N818 (the errors are named by what happened, as the other errors that a person reads)

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from chatbot.core.errors import UserFacingError
from chatbot.core.upstream import Upstream
from conversations.llm import upstream as llm_upstream
from conversations.llm.upstream import retry_after

__all__ = ["LLMError", "Upstream", "from_response", "retry_after", "wait_in_words"]

UNREDACTED_MAX_CHARS = 100_000
"""Characters of a detail before redaction; it is shortened only afterwards, as a cut key would not be recognised."""
RETRIED_STATUSES = frozenset({408, 409, 425, 429})
PERMANENT_STATUSES = frozenset({501, 505})
"""Statuses of requests that the server will never accept, however often they are repeated."""


class LLMError(UserFacingError):
    """The assistant could not answer. Your message is saved; please try again."""

    code: ClassVar[str] = "provider_error"
    may_pass: ClassVar[bool] = False
    """Whether the same request may succeed a moment later, if nothing else is known."""

    def __init__(
        self,
        detail: str = "",
        *,
        upstream: Upstream | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        """Keep, besides the person's sentence, what staff, programs and the retry loop need.

        `detail` is technical text, cut at 2,000 characters; `upstream` what the provider said; `retry_after` the wait
        in seconds that the provider asked for; `retryable` whether the same request may succeed a moment later.
        """
        super().__init__(wait=wait_in_words(retry_after))
        self.detail = detail[:UNREDACTED_MAX_CHARS]
        self.upstream = upstream
        self.retry_after = retry_after
        self.retryable = self.may_pass if retryable is None else retryable
        self.is_lasting = retryable is False

    @property
    def headers(self) -> Mapping[str, str]:
        """`Retry-After` in whole seconds when the provider asked to wait, else empty."""
        return {} if self.retry_after is None else {"Retry-After": str(math.ceil(self.retry_after))}


class ProviderKey(LLMError):
    """The assistant is not set up: the model provider did not accept this site's key. Your message is saved.
    Please tell the people who run this site."""

    code = "provider_key"


class ProviderModel(LLMError):
    """The model provider does not offer this model. Your message is saved. Choose another model, or tell the people
    who run this site."""

    code = "provider_model"


class ProviderAddress(LLMError):
    """The assistant is not set up: there is no model provider at the address that this site asks. Your message is
    saved. Please tell the people who run this site."""

    code = "provider_address"


class ProviderBlocked(LLMError):
    """Something between this site and the model provider, a firewall or a proxy, refused this request. Your message is
    saved. Try to word it differently; if it happens again, tell the people who run this site."""

    code = "provider_blocked"


class ProviderInstructions(LLMError):
    """This model takes no instructions. Your message is saved. Take the instructions out of the chat's settings, or
    choose another model, then press Retry."""

    code = "provider_instructions"


class ProviderRateLimited(LLMError):
    """The model provider is receiving too many requests. Your message is saved. Please try again {wait}."""

    code = "provider_rate_limited"
    may_pass = True


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
    may_pass = True


class ProviderProtocol(LLMError):
    """The model provider sent something that could not be read as an answer. Your message is saved. Please try again;
    if it happens again, tell the people who run this site."""

    code = "provider_protocol"
    is_empty = False
    """Whether the provider sent a valid answer without any text."""


class ProviderRefused(LLMError):
    """The model provider refused this request. Your message is saved. Please try again; if it happens again, tell the
    people who run this site."""

    code = "provider_refused"


class ProviderTemperature(LLMError):
    """This model does not take the temperature of this chat. Your message is saved. Take the temperature out of the
    chat's settings, then press Retry."""

    code = "provider_temperature"


# Providers have many names for the same failure. Each pattern is searched in the error's code, type and message.
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
MINUTE = re.compile(r"request too large .{0,200}\b(tokens per|TPM\b)", re.IGNORECASE)
"""The request alone exceeds the tokens allowed per minute: waiting does not help."""
QUOTA = re.compile(
    r"insufficient_quota|billing_(hard_limit|not_active)|insufficient (balance|credits?|funds)|balance is too low",
    re.IGNORECASE,
)
MODEL = re.compile(
    r"model_not_found|invalid_model|invalid model|not a valid model|unknown model"
    r"|\b(models?|deployment|engine|endpoints)\b.{0,120}(does not exist|not found|not available|decommissioned)"
    r"|(no|not found:?|unable to access|access to).{0,20}\b(models?|endpoints found)\b|deploymentnotfound"
    r"|\bmodel: |function '[^']*': not found",
    re.IGNORECASE,
)
RATE = re.compile(r"rate.?limit|too many requests", re.IGNORECASE)
INSTRUCTIONS = re.compile(
    r"(system|developer)[ _]?(role|message|prompt|instruction)s?( \w+){0,2} (is |are )?not (\w+ )?"
    r"(supported|enabled|allowed)"
    r"|(does not|doesn't|do not) support (the )?.?(system|developer)\b"
    r"|only user(,| and) (model|assistant)( and \w+)? roles|roles must alternate"
    r"|(invalid|unsupported|unknown|unexpected) (message )?role:? .?(system|developer)"
    r"|role:? .?(system|developer).?( \w+){0,2} (not|invalid|unsupported|unknown)"
    r"|input should be 'user'(,| or) 'assistant'(?!.*'system')",
    re.IGNORECASE,
)
KEY = re.compile(r"invalid_api_key|(incorrect|invalid) api key|api key not valid|no auth credentials", re.IGNORECASE)


def from_response(
    status: int, body: bytes | str | Any, headers: Mapping[str, str], *, model: str = "", now: datetime | None = None
) -> LLMError:
    """Return the error for a response with an HTTP `status` of 400 or more, or for an error object inside a stream.

    `body` is the raw text or the decoded JSON. `status` 0 means that the object has no status; its `code` may be one.
    `model` is the model that was asked: an error that repeats its name is about the model.
    """
    said = llm_upstream.read(status, body, headers, now=now)
    detail = f"HTTP {status or said.status}: {said.text}" if status or said.status else said.text
    kind = _kind(said, model)
    again = kind.may_pass or (kind is ProviderRefused and said.status in RETRIED_STATUSES)
    told_not_to = headers.get("x-should-retry") == "false"
    return kind(detail, upstream=said, retry_after=said.retry_after, retryable=again and not told_not_to)


def _kind(said: Upstream, model: str) -> type[LLMError]:
    """The class of the failure.

    The error's words count more than its status: servers have sent 500 and 429 for long prompts.
    """
    status, text = said.status, said.text
    if QUOTA.search(text) or status == 402:
        return ProviderQuota
    is_too_large = MINUTE.search(text)
    if not is_too_large and (status == 429 or (not status and RATE.search(text))):
        return ProviderRateLimited
    if is_too_large or CONTEXT.search(text) or status == 413:
        return ContextTooLong
    if FILTER.search(text):
        return ContentFiltered
    if INSTRUCTIONS.search(text):
        return ProviderInstructions
    return _refused(said, model) or (ProviderRefused if 0 < status < 500 else ProviderUnavailable)


def _refused(said: Upstream, model: str) -> type[LLMError] | None:
    """The class of a refused key, model or address; None when the error does not tell."""
    status, text = said.status, said.text
    if status == 407 or (status == 403 and not said.is_structured):
        return ProviderBlocked
    if status in {401, 403} or (status < 500 and KEY.search(text)):
        return ProviderKey
    names_model = MODEL.search(text) or (model and model in text)
    if status in {404, 405} and not names_model:
        return ProviderAddress
    if status == 404 or (status < 500 and MODEL.search(text)):
        return ProviderModel
    return ProviderRefused if status in PERMANENT_STATUSES else None


def wait_in_words(seconds: float | None) -> str:
    """Return "in about 20 seconds", or "in a moment" when the wait is short or unknown."""
    if seconds is None or seconds < 3:
        return "in a moment"
    for unit, size, least in (("hour", 3_600, 5_400), ("minute", 60, 90), ("second", 1, 0)):
        if seconds >= least:
            count = max(1, round(seconds / size))
            return f"in about {count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError  # the last row matches every wait
