"""Transcripts for staff: one part of a branch at a time, each reading recorded before it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest

from accounts.staff_lists.dates import moment
from conversations.admin.generations import seconds
from conversations.admin.readings import record
from conversations.models import Conversation, Feedback, Generation, Message, Role
from conversations.models.step_words import state_of, words_of
from conversations.models.steps import Step, steps_of
from conversations.pages import branches
from conversations.pages.branches import Part
from conversations.pages.dressing import ShownMessage, dress
from tools import text as texts

CALLS_MAX, CALL_MAX_CHARS = 100, 2_000
"""Tool calls of a reply that are shown, and characters of what each was asked and returned."""


@dataclass(frozen=True, slots=True)
class ShownCall:
    """A tool call of the transcript, as text."""

    words: str
    state: str
    tool: str
    arguments: str
    result: str


@dataclass(frozen=True, slots=True)
class Line:
    """A message of the transcript with the facts of its generation."""

    shown: ShownMessage
    generation: Generation | None
    feedback: Feedback | None
    calls: Sequence[ShownCall]
    more_calls: int = 0
    """Number of tool calls that are not shown."""
    first_token: str = ""
    duration: str = ""

    @property
    def tokens(self) -> int:
        """Tokens that the model read and wrote, as far as known."""
        made = self.generation
        return (made.prompt_tokens or 0) + (made.completion_tokens or 0) if made else 0


def transcript(request: HttpRequest, conversation: Conversation) -> dict[str, Any]:
    """The requested part: what precedes the message `before`, or surrounds the message `at`.

    By default the end of the branch that the person has chosen, which is not changed. Raises `Http404` when the message
    is not in the conversation, `BadRequest` when it is not a key.
    """
    part = _part(request, conversation)
    messages = part.messages
    first = conversation.messages.filter(parent=None).oldest_first().values_list("pk", flat=True).first()
    record(request, [conversation.pk], _said(messages))
    return {
        "lines": [line(shown) for shown in dress(messages, cut=part.cut)],
        "earlier": messages[0].pk if part.has_older else None,
        "later": messages[-1].pk if part.has_newer else None,
        "first": first if part.has_older else None,
        "is_chosen": part.is_chosen,
        "instructions": conversation.system_prompt,
        "title_said": conversation.title,
    }


def line(shown: ShownMessage) -> Line:
    """The message as a line."""
    message = shown.message
    steps = steps_of(message)
    calls, more = [shown_call(step) for step in steps[:CALLS_MAX]], max(0, len(steps) - CALLS_MAX)
    feedback = getattr(message, "feedback", None)
    if message.role != Role.ASSISTANT:
        return Line(shown, None, feedback, calls, more)
    made = message.generation
    first_token, duration = seconds(made.started_at, made.first_token_at), seconds(made.started_at, made.finished_at)
    return Line(shown, made, feedback, calls, more, first_token, duration)


def shown_call(step: Step) -> ShownCall:
    """The call as the transcript shows it, each text up to a bound."""
    result = step.error or str((step.result or {}).get("text") or "")
    arguments, result = (texts.shortened(text, CALL_MAX_CHARS) for text in (step.arguments, result))
    return ShownCall(words_of(step), state_of(step), step.tool, arguments, result)


def _part(request: HttpRequest, conversation: Conversation) -> Part:
    try:
        if before := _key(request, "before"):
            return branches.before(conversation, before)
        at = _key(request, "at")
        return branches.around(conversation, at) if at else branches.newest(conversation)
    except Message.DoesNotExist as error:
        raise Http404("There is no such message in this conversation.") from error


def _key(request: HttpRequest, name: str) -> UUID | None:
    try:
        return UUID(text) if (text := request.GET.get(name)) else None
    except ValueError as error:
        raise BadRequest("This is not the key of a message.") from error


def _said(messages: Sequence[Message]) -> str:
    if not messages:
        return "Read the transcript: no messages."
    begin, end = moment(messages[0].created_at), moment(messages[-1].created_at)
    many = f"{len(messages)} messages" if len(messages) > 1 else "1 message"
    return f"Read {many}, said {begin} to {end}."
