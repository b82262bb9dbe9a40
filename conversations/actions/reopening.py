"""Statements that reopen an ended reply, to make it again or to continue it."""

from typing import Any

from django.db.models import Case, Exists, OuterRef, Q, Subquery, Value, When

from chatbot.core.errors import UserFacingError
from chatbot.telemetry import origin
from conversations.errors.providers import ContextTooLong, ProviderInstructions, ProviderModel, ProviderRefused
from conversations.errors.replies import MessageTooLong, ReplyTooLong
from conversations.models import CUT, Generation, Message, Status

RETRYABLE = (Status.FAILED, Status.STOPPED)

OF_THE_MODEL = [error.code for error in (ProviderModel, ProviderInstructions, ContextTooLong, MessageTooLong)]
"""Codes of errors that depend on the model: asked again, it would fail again."""


class NothingToContinue(UserFacingError):
    """This answer cannot be continued any more. Reload the page to see it."""

    code = "nothing_to_continue"
    http_status = 409
    for_programs = "Only a branch's last reply can be continued, if it was cut, stopped or failed."


class NothingToRetry(UserFacingError):
    """This answer needs no second try any more. Reload the page to see it."""

    code = "nothing_to_retry"
    http_status = 409
    for_programs = "Only a failed or stopped reply can be retried."


def can_resume(message: Message) -> bool:
    """Whether `resume` would accept the reply if nothing followed it."""
    generation = message.generation
    ended_early = generation.is_cut or (generation.status in RETRYABLE and generation.error_code != ReplyTooLong.code)
    return ended_early and bool(message.content.strip() or message.tool_calls)


def open_again(message: Message) -> None:
    """Make the reply pending, without anything of the last attempt. Raises `NothingToRetry`."""
    won = Generation.objects.filter(pk=message.pk, status__in=RETRYABLE).update(
        **_pending(),
        continues=False,
        draft="",
        reasoning="",
        reasoning_seconds=None,
        prompt_tokens=None,
        completion_tokens=None,
        cached_tokens=None,
        reasoning_tokens=None,
    )
    if not won:
        raise NothingToRetry


def go_on(message: Message) -> None:
    """Make the reply pending, with all of its text and what it has done. Raises `NothingToContinue`."""
    has_begun = Q(content__regex=r"\S") | Q(tool_calls__isnull=False)
    said = Message.objects.filter(has_begun, pk=OuterRef("pk")).exclude(children__isnull=False)
    ended_early = Q(status__in=RETRYABLE) | Q(status=Status.COMPLETE, finish_reason=CUT)
    found = Generation.objects.filter(ended_early, Exists(said), pk=message.pk).exclude(error_code=ReplyTooLong.code)
    if not found.update(**_pending(), draft=Subquery(said.values("content")), continues=True):
        raise NothingToContinue


def asked_as(message: Message) -> dict[str, Any]:
    """Model and options for another answer beside a failed or stopped one. Raises `NothingToRetry`."""
    found = Generation.objects.filter(pk=message.pk, status__in=RETRYABLE).first()
    if found is None:
        raise NothingToRetry
    return {
        "model": "" if found.error_code in OF_THE_MODEL else found.model,
        "options": None if found.error_code == ProviderRefused.code else found.options,
    }


def _pending() -> dict[str, Any]:
    """Columns of a generation that is pending again, without how it ended."""
    return {
        "status": Status.PENDING,
        # Of what cannot do it, it is not asked again: the conversation's choice, or the default, is.
        "model": Case(When(error_code__in=OF_THE_MODEL, then=Value("")), default="model"),
        # Nor for what was refused.
        "options": Case(When(~Q(error_code=ProviderRefused.code), then="options")),
        "finish_reason": "",
        "worker": "",
        "request_id": origin.request_id(),
        "error": "",
        "error_code": "",
        "error_params": None,
        "error_detail": "",
        "heartbeat_at": None,
        "stop_requested_at": None,
        "started_at": None,
        "first_token_at": None,
        "finished_at": None,
        "window_start": None,
        "window_cut": False,
    }
