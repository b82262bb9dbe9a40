"""Replies in the API: whole when they have ended, or as events while they are made."""

from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from accounts.callers import Caller
from chatbot.core.errors import UserFacingError
from chatbot.web import problems
from chatbot.web.api import json_response
from chatbot.web.awaited import AwaitedResponse
from chatbot.web.problems import Problem
from conversations.api.events import EventViewer
from conversations.models import Message, Status
from conversations.models.steps import Step, steps_of
from conversations.replies import dispatch, streams

EVENT_STREAM = "text/event-stream"
WAIT_SECONDS = 15.0


def wants_events(request: HttpRequest) -> bool:
    """Whether the caller accepts a stream of events."""
    return request.get_preferred_type(["application/json", EVENT_STREAM]) == EVENT_STREAM


def make_room(caller: Caller) -> None:
    """Raise `Problem` for a person who already waits for as many replies in this process as one may."""
    if streams.has_too_many(caller.user.pk):
        raise Problem("too_many_streams")


def reply(request: HttpRequest, caller: Caller, message_id: UUID) -> HttpResponseBase:
    """The reply's response, in the form that the caller accepts."""
    return stream(caller, message_id) if wants_events(request) else whole(caller, message_id)


def stream(caller: Caller, message_id: UUID, *, offset: int = 0) -> HttpResponseBase:
    """The reply as events, from character `offset` on."""
    viewer = EventViewer(message_id, offset=offset)

    def end() -> bytes:
        message = find(message_id)
        if message is None:
            return viewer.failed(Problem("not_found"))
        steps = steps_of(message)
        if problem := problem_of(message):
            return viewer.failed(problem, steps)
        if message.generation.is_waiting:
            return viewer.waiting(message.text_so_far, steps, outcome(message, steps))
        if message.generation.is_open:
            # It waited, and its person has decided meanwhile.
            return viewer.going_on(message.text_so_far, steps)
        return viewer.completed(message.text_so_far, steps, outcome(message, steps))

    frames = streams.events(message_id, viewer=viewer, end=end, is_welcome=caller.is_welcome)
    return streams.sent(caller.user.pk, frames)


def whole(
    caller: Caller, message_id: UUID, answer: Callable[[Message, UserFacingError | None], HttpResponse] | None = None
) -> AwaitedResponse:
    """The response with the reply once it has ended, or waits for its person's decision.

    At the door `answer` makes the response, from the reply and from its failure, as far as that is known here.
    """

    def found(failure: UserFacingError | None) -> HttpResponse | None:
        message = find(message_id)
        if message is None:
            raise Problem("not_found")
        if message.generation.is_open and not message.generation.is_waiting:
            # It waited, and its person has decided meanwhile.
            return None
        if answer:
            return answer(message, failure)
        if problem := problem_of(message, failure):
            raise problem
        return json_response(outcome(message, steps_of(message)))

    async def make() -> HttpResponse:
        try:
            response = None
            with streams.watching(caller.user.pk):
                while response is None:
                    failure = await ended(message_id)
                    response = await dispatch.engine().database(found, failure)
            return response
        except Exception as error:  # noqa: BLE001 (each becomes an answer)
            return problems.answer(problems.as_problem(error), door=answer is not None)

    return AwaitedResponse(make)


async def ended(message_id: UUID) -> UserFacingError | None:
    """Wait until the reply has ended, or waits for its person; returns its failure if this process made it.

    Raises `Problem` when this process ends first.
    """
    async with aclosing(dispatch.engine().watch(message_id)) as changes:
        async for live in changes:
            if live.ended:
                return live.failure
            await live.rest(WAIT_SECONDS)
    raise Problem("interrupted", message_id=str(message_id))


def find(message_id: UUID) -> Message | None:
    """The stored reply, or None when it is gone. Its ownership must be checked before. Causes a query."""
    kept = Message.objects.filter(pk=message_id, conversation__trashed_at=None)
    return kept.select_related("conversation", "generation").first()


def problem_of(message: Message, failure: UserFacingError | None = None) -> Problem | None:
    """The problem of a failed reply, else None; `failure` holds more details than the database."""
    generation = message.generation
    if generation.status != Status.FAILED:
        return None
    known = problems.as_problem(failure) if failure else None
    return Problem(
        generation.error_code,
        generation.sentence,
        headers=known.headers if known else None,
        upstream=known.upstream if known else None,
        conversation_id=str(message.conversation_id),
        message_id=str(message.pk),
    )


def outcome(message: Message, steps: Iterable[Step]) -> dict[str, Any]:
    """The reply's fields as `ChatOut` describes them."""
    generation = message.generation
    fields: dict[str, Any] = {
        "response": message.text_so_far,
        "conversation_id": str(message.conversation_id),
        "message_id": str(message.pk),
        "status": generation.status,
        "finish_reason": generation.finish_reason,
    }
    if generation.is_waiting:
        fields["tool_calls"] = [step.record() for step in steps if step.is_undecided]
    return fields
