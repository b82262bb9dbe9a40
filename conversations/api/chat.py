"""Operations of the API on turns: chat, follow, stop, regenerate, retry, resume."""

from typing import Annotated
from uuid import UUID, uuid5

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from ninja import Header, Router

from accounts.bearer import ApiRequest
from chatbot.web.api import errors
from conversations.actions import branches, turns
from conversations.api import answers, asking
from conversations.api.documents import EVENTS
from conversations.api.finding import find_conversation, find_reply
from conversations.api.schemas import ChatIn, ChatOut, RegenerateIn
from conversations.replies.dispatch import Audience

FAILURES = errors(401, 403, 404, 409, 422, 429, 500, 502, 503, 504)

router = Router(tags=["chat"])

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[ -~]{0,255}$",
        description="A repeated request with the same key returns the turn that the first one stored.",
    ),
]


@router.post("/{user_id}/chat", response={200: ChatOut} | FAILURES, openapi_extra=EVENTS, summary="Say something")
def chat(request: ApiRequest, user_id: str, body: ChatIn, idempotency_key: IdempotencyKey = "") -> HttpResponseBase:
    """Store the message, ask the model, and return its reply: whole, or with `Accept: text/event-stream` as it grows.

    Without a `conversation_id` a new conversation begins. The message is stored even if the reply fails: the error then
    names the conversation and the reply, which can be retried. A reply whose tool calls need a decision has the status
    `waiting`; it goes on once they are decided, and can be followed.
    """
    caller = request.auth
    answers.make_room(caller)
    conversation = find_conversation(request, body.conversation_id) if body.conversation_id else None
    turn = turns.send(
        caller.user,
        text=body.message,
        conversation=conversation,
        turn=turn_key(request, idempotency_key),
        audience=Audience.CALLER,
    )
    return answers.reply(request, caller, turn.reply.pk)


@router.get(
    "/{user_id}/messages/{message_id}/stream",
    response={200: None} | errors(401, 404, 422, 429, 503),
    openapi_extra=EVENTS,
    summary="Follow a reply",
)
def follow(
    request: ApiRequest,
    user_id: str,
    message_id: UUID,
    last_event_id: Annotated[str, Header(alias="Last-Event-ID", pattern=r"^[0-9]{0,9}$")] = "",
) -> HttpResponseBase:
    """Return the reply as events, open or ended; `Last-Event-ID` continues after that character.

    Tool calls are returned as they stand, whatever the `Last-Event-ID`.
    """
    answers.make_room(request.auth)
    message = find_reply(request, message_id)
    return answers.stream(request.auth, message.pk, offset=int(last_event_id or 0))


@router.post(
    "/{user_id}/messages/{message_id}/stop",
    response={204: None} | errors(401, 403, 404, 429, 503),
    summary="Stop a reply",
)
def stop(request: ApiRequest, user_id: str, message_id: UUID) -> HttpResponse:
    """Stop a reply and keep its text so far. A reply that has ended stays as it is."""
    message = find_reply(request, message_id)
    turns.stop(message)
    return HttpResponse(status=204)


@router.post(
    "/{user_id}/messages/{message_id}/regenerate",
    response={200: ChatOut} | FAILURES,
    openapi_extra=EVENTS,
    summary="Ask for another answer",
)
def regenerate(
    request: ApiRequest,
    user_id: str,
    message_id: UUID,
    body: RegenerateIn | None = None,
    idempotency_key: IdempotencyKey = "",
) -> HttpResponseBase:
    """Make another answer beside this one, in the same forms as a chat; it becomes the conversation's current one."""
    caller = request.auth
    answers.make_room(caller)
    message = find_reply(request, message_id)
    model = asking.chosen(body.model) if body else ""
    turn = turn_key(request, idempotency_key)
    answer = branches.regenerate(message, model=model, turn=turn, audience=Audience.CALLER)
    return answers.reply(request, caller, answer.pk)


@router.post(
    "/{user_id}/messages/{message_id}/retry",
    response={200: ChatOut} | FAILURES,
    openapi_extra=EVENTS,
    summary="Retry a failed reply",
)
def retry(request: ApiRequest, user_id: str, message_id: UUID) -> HttpResponseBase:
    """Make a failed or stopped reply again.

    A reply without text is made in its place; one with text gets another answer beside it, whose key the response
    names.
    """
    caller = request.auth
    answers.make_room(caller)
    message = find_reply(request, message_id)
    return answers.reply(request, caller, turns.retry(message, audience=Audience.CALLER).pk)


@router.post(
    "/{user_id}/messages/{message_id}/continue",
    response={200: ChatOut} | FAILURES,
    openapi_extra=EVENTS,
    summary="Continue a reply",
)
def resume(request: ApiRequest, user_id: str, message_id: UUID) -> HttpResponseBase:
    """Continue a reply where its text ended, if it is the last one of its branch.

    It must have the `finish_reason` `length`, or have been stopped or failed with text. Its text is kept in any case;
    the response holds all of it.
    """
    caller = request.auth
    answers.make_room(caller)
    message = find_reply(request, message_id)
    turns.resume(message, audience=Audience.CALLER)
    return answers.reply(request, caller, message.pk)


def turn_key(request: ApiRequest, key: str) -> UUID | None:
    """The turn's key derived from the person and their Idempotency-Key; None without one."""
    return uuid5(request.auth.user.pk, key) if key else None
