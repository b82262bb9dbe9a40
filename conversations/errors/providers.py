"""Failures between the chat and a model provider, in words for people and programs and in details for staff."""

# ruff: noqa: N818 (the errors are named by what happened, as the other errors that a person reads)

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from chatbot.core.errors import UserFacingError
from chatbot.core.upstream import Upstream

UNREDACTED_MAX_CHARS = 100_000
"""Characters of a detail before redaction; it is shortened only afterwards, as a cut key would not be recognised."""


class LLMError(UserFacingError):
    """The assistant could not answer. Your message is saved; please try again."""

    code: ClassVar[str] = "provider_error"
    http_status: ClassVar[int] = 502
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
        super().__init__(**({} if retry_after is None else {"retry_after": retry_after}))
        self.detail = detail[:UNREDACTED_MAX_CHARS]
        self.upstream = upstream
        self.retry_after = retry_after
        self.retryable = self.may_pass if retryable is None else retryable
        self.is_lasting = retryable is False

    @classmethod
    def words(cls, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """The `wait` in words, from the seconds of `retry_after`."""
        return {"wait": wait_in_words(parameters.get("retry_after"))}

    @property
    def headers(self) -> Mapping[str, str]:
        """`Retry-After` in whole seconds when the provider asked to wait, else empty."""
        return {} if self.retry_after is None else {"Retry-After": str(math.ceil(self.retry_after))}


class ProviderKey(LLMError):
    """The assistant is not set up: the model provider did not accept this site's key. Your message is saved.
    Please tell the people who run this site."""

    code = "provider_key"
    for_programs = "The model provider did not accept this site's key."


class ProviderModel(LLMError):
    """The model provider does not offer this model. Your message is saved. Choose another model, or tell the people
    who run this site."""

    code = "provider_model"
    for_programs = "The model provider does not offer this model."


class ProviderAddress(LLMError):
    """The assistant is not set up: there is no model provider at the address that this site asks. Your message is
    saved. Please tell the people who run this site."""

    code = "provider_address"
    for_programs = "The configured address of the model provider is wrong."


class ProviderBlocked(LLMError):
    """Something between this site and the model provider, a firewall or a proxy, refused this request. Your message is
    saved. Try to word it differently; if it happens again, tell the people who run this site."""

    code = "provider_blocked"
    for_programs = "A firewall or proxy before the model provider refused the request."


class ProviderInstructions(LLMError):
    """This model takes no instructions. Your message is saved. Take the instructions out of the chat's settings, or
    choose another model, then press Retry."""

    code = "provider_instructions"
    for_programs = "The model does not accept instructions (a system message)."


class ProviderTools(LLMError):
    """This model cannot use tools. Your message is saved. Try again, or choose another model."""

    code = "provider_tools"
    for_programs = "The model does not support tools."


class ProviderRateLimited(LLMError):
    """The model provider is receiving too many requests. Your message is saved. Please try again {wait}."""

    code = "provider_rate_limited"
    http_status = 503
    for_programs = "The model provider is receiving too many requests."
    retry_seconds = 20
    may_pass = True


class ProviderQuota(LLMError):
    """This site has used up what it may ask of the model provider. Your message is saved. Please tell the people who
    run this site."""

    code = "provider_quota"
    for_programs = "This site's quota at the model provider is exhausted."


class ContextTooLong(LLMError):
    """This conversation has grown too long for the model. Everything in it is saved. Send a shorter message, or start
    a new chat."""

    code = "context_too_long"
    for_programs = "The conversation is longer than the model can read."


class ContentFiltered(LLMError):
    """The model provider's content filter stopped this answer. What was written so far is saved. Try to word your
    message differently."""

    code = "content_filter"
    for_programs = "The model provider refused to answer this."


class ProviderUnreachable(LLMError):
    """The model provider could not be reached. Your message is saved. Please try again in a moment."""

    code = "provider_unreachable"
    for_programs = "The model provider cannot be reached."


class ProviderTimeout(LLMError):
    """The model took too long to answer. What was written so far is saved. Please try again."""

    code = "provider_timeout"
    http_status = 504
    for_programs = "The model provider did not answer in time."


class ProviderBrokeOff(LLMError):
    """The answer broke off in the middle. What was written so far is saved. Try again for a whole answer."""

    code = "provider_broke_off"
    for_programs = "The model provider broke off during the answer."


class ProviderUnavailable(LLMError):
    """The model provider is having trouble at the moment. Your message is saved. Please try again {wait}."""

    code = "provider_unavailable"
    http_status = 503
    for_programs = "The model provider is temporarily unavailable."
    retry_seconds = 20
    may_pass = True


class ProviderProtocol(LLMError):
    """The model provider sent something that could not be read as an answer. Your message is saved. Please try again;
    if it happens again, tell the people who run this site."""

    code = "provider_protocol"
    for_programs = "The model provider gave an answer that cannot be read."
    is_empty = False
    """Whether the provider sent a valid answer without any text."""


class ProviderRefused(LLMError):
    """The model provider refused this request. Your message is saved. Please try again; if it happens again, tell the
    people who run this site."""

    code = "provider_refused"
    for_programs = "The model provider refused the request."


class ProviderTemperature(LLMError):
    """This model does not take the temperature of this chat. Your message is saved. Take the temperature out of the
    chat's settings, then press Retry."""

    code = "provider_temperature"
    for_programs = "The model does not accept this temperature."


def wait_in_words(seconds: float | None) -> str:
    """Return "in about 20 seconds", or "in a moment" when the wait is short or unknown."""
    if seconds is None or seconds < 3:
        return "in a moment"
    for unit, size, least in (("hour", 3_600, 5_400), ("minute", 60, 90), ("second", 1, 0)):
        if seconds >= least:
            count = max(1, round(seconds / size))
            return f"in about {count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError  # the last row matches every wait
