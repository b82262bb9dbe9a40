"""Which error a model provider answered with, read from its response."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chatbot.core.upstream import Upstream
from conversations.errors.providers import (
    ContentFiltered,
    ContextTooLong,
    LLMError,
    ProviderAddress,
    ProviderBlocked,
    ProviderInstructions,
    ProviderKey,
    ProviderModel,
    ProviderQuota,
    ProviderRateLimited,
    ProviderRefused,
    ProviderTools,
    ProviderUnavailable,
)
from conversations.llm import upstream as llm_upstream

RETRIED_STATUSES = frozenset({408, 409, 425, 429})
PERMANENT_STATUSES = frozenset({501, 505})
"""Statuses of requests that the server will never accept, however often they are repeated."""


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
TOOLS = re.compile(
    r"(does not|doesn't|do not) support (the )?.?(tools?|function)\b"
    r"|(tools?|function)([ _-](calling|calls|use|choice))?( \w+){0,3} (is|are) not (\w+ )?(supported|enabled|available)"
    r"|(no endpoints found that|does not) support tool"
    r"|tool choice requires|tools param requires"
    r"|(unknown|unrecognized|unsupported|invalid|unexpected)( \w+){0,4}:? .{0,2}(tools|functions|tool_choice)\b"
    r"|extra inputs are not permitted.{0,80}\btools\b|\btools\b.{0,80}extra inputs are not permitted",
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
    if status not in {401, 403} and TOOLS.search(text):
        return ProviderTools
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
