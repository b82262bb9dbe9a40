"""The door for OpenAI's clients: the models of this site, and what is kept as a conversation only when asked."""

from typing import Annotated
from uuid import UUID

from django.core.exceptions import ValidationError
from django.forms import Field
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Header, Router

from accounts.callers import Caller
from conversations import model_choices, streams, turns
from conversations.api import answers, asking, completions
from conversations.api.answers import json_response
from conversations.api.auth import ApiRequest, find_conversation
from conversations.api.completion_schemas import CompletionIn, CompletionOut, DoorErrorOut, ModelOut, ModelsOut
from conversations.api.completions import ChunkViewer, Completion
from conversations.api.documents import CHUNKS
from conversations.api.problems import Problem, invalid
from conversations.configuration_forms import InstructionsField
from conversations.forms import MessageField
from conversations.llm import Usage
from conversations.models import Configuration, Message
from conversations.transfer.documents import said

NEW = "new"

router = Router(tags=["openai"])


def errors(*statuses: int) -> dict[int, type[DoorErrorOut]]:
    """The errors with these statuses as responses of an operation."""
    return dict.fromkeys((400, *statuses), DoorErrorOut)


@router.post(
    "/chat/completions",
    response={200: CompletionOut} | errors(401, 403, 404, 409, 429, 500, 502, 503, 504),
    openapi_extra=CHUNKS,
    summary="Complete a chat",
)
def complete(
    request: ApiRequest,
    body: CompletionIn,
    conversation: Annotated[
        str, Header(alias="X-Conversation", description="The same as `conversation` in `metadata`.")
    ] = "",
) -> HttpResponseBase:
    """Answer as OpenAI's endpoint of this name does. Nothing is kept unless a `conversation` is named.

    One that is named, or `new`, keeps its own history: then only the new message is sent, before it at most the
    instructions for a new one.
    """
    answers.make_room(request.auth)
    named = conversation or (body.metadata or {}).get("conversation", "")
    return kept(request, body, named) if named else asking.completed(request.auth, body)


@router.get("/models", response={200: ModelsOut} | errors(401, 429, 503), summary="List the models")
def list_models(request: ApiRequest) -> HttpResponse:
    """List the models that a person may pick, the default first."""
    return json_response({"object": "list", "data": [model_fields(name) for name in model_choices.choices()]})


@router.get("/models/{path:model}", response={200: ModelOut} | errors(401, 404, 429, 503), summary="Describe a model")
def get_model(request: ApiRequest, model: str) -> HttpResponse:
    """Describe one of them."""
    if model not in model_choices.choices():
        raise Problem("model_not_found")
    return json_response(model_fields(model))


def model_fields(name: str) -> dict[str, object]:
    """A model as `ModelOut` describes it."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "chatbot"}


def kept(request: ApiRequest, body: CompletionIn, named: str) -> HttpResponseBase:
    """The completion as a turn of a conversation."""
    caller = request.auth
    *before, last = body.messages
    instructions = [message.text for message in before if message.role in {"system", "developer"}]
    if last.role != "user" or len(instructions) < len(before) or (before and named != NEW):
        raise invalid(("messages", "A conversation keeps its own history: send the new message only."))
    configuration = Configuration(
        asking.chosen(body.model),
        cleaned("\n\n".join(instructions), InstructionsField(required=False)),
        body.temperature,
    )
    conversation = None if named == NEW else find_conversation(request, key(named))
    turn = turns.send(
        caller.user, text=cleaned(last.text, MessageField()), conversation=conversation, configuration=configuration
    )
    completion = Completion(f"chatcmpl-{turn.reply.pk.hex}", configuration.model or model_choices.default_name())
    if body.stream:
        response = streamed(caller, completion, turn.reply.pk, with_usage=body.wants_usage)
    else:
        response = answers.whole(
            caller,
            turn.reply.pk,
            lambda message: json_response(completion.whole(said(message), usage=usage_of(message))),
            door=True,
        )
    response.headers["X-Conversation"] = str(turn.conversation.pk)
    return response


def streamed(caller: Caller, completion: Completion, message_id: UUID, *, with_usage: bool) -> HttpResponseBase:
    """A stored reply in chunks."""
    viewer = ChunkViewer(completion)

    def end() -> bytes:
        message = answers.find(message_id)
        problem = answers.problem_of(message) if message else Problem("not_found")
        if message is None or problem:
            return completions.failed(problem or Problem("not_found"))
        return viewer.ended(said(message), usage_of(message) if with_usage else None)

    return streams.sent(
        caller.user.pk, streams.events(message_id, viewer=viewer, end=end, is_welcome=caller.is_welcome)
    )


def usage_of(message: Message) -> Usage | None:
    """What the provider counted for a stored reply."""
    generation = message.generation
    if generation.prompt_tokens is None or generation.completion_tokens is None:
        return None
    return Usage(generation.prompt_tokens, generation.completion_tokens)


def cleaned(text: str, field: Field) -> str:
    """The text as it is stored. Raises `Problem`."""
    try:
        return str(field.clean(text))
    except ValidationError as error:
        raise invalid(("messages", error.messages[0])) from error


def key(text: str) -> UUID:
    """A conversation's key. Raises `Http404`."""
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error
