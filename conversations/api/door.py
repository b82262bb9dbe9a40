"""The door for OpenAI's clients: the models of this site, and what is kept as a conversation only when asked."""

from typing import Annotated

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from ninja import Header, Router

from accounts.bearer import ApiRequest
from chatbot.web.problems import Problem, invalid
from conversations.api import answers, asking, embeddings, keeping
from conversations.api.answers import json_response
from conversations.api.chat import IdempotencyKey
from conversations.api.completion_schemas import CompletionIn, CompletionOut, DoorErrorOut, ModelOut, ModelsOut
from conversations.api.documents import CHUNKS
from conversations.api.embeddings import EmbeddingsIn, EmbeddingsOut
from conversations.llm import model_choices

router = Router(tags=["openai"])


def errors(*statuses: int) -> dict[int, type[DoorErrorOut]]:
    """The errors with these statuses as responses of an operation."""
    return dict.fromkeys((400, *statuses), DoorErrorOut)


FAILURES = errors(401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504)


@router.post(
    "/chat/completions",
    response={200: CompletionOut} | FAILURES,
    openapi_extra=CHUNKS,
    summary="Complete a chat",
)
def complete(
    request: ApiRequest,
    body: CompletionIn,
    conversation: Annotated[
        str, Header(alias="X-Conversation", description="The same as `conversation` in `metadata`.")
    ] = "",
    idempotency_key: IdempotencyKey = "",
) -> HttpResponseBase:
    """Answer as OpenAI's endpoint of this name does. Nothing is kept unless a `conversation` is named.

    One that is named, or `new`, keeps its own history: then only the new message is sent, before it at most the
    instructions for a new one.
    """
    answers.make_room(request.auth)
    if refused := body.refused:
        raise invalid(*refused)
    named = conversation or body.conversation
    return keeping.kept(request, body, named, idempotency_key) if named else asking.completed(request.auth, body)


@router.post("/embeddings", response={200: EmbeddingsOut} | FAILURES, summary="Embed texts")
def embed(request: ApiRequest, body: EmbeddingsIn) -> HttpResponseBase:
    """Give the embeddings of the provider, where it has any. A request counts as a message."""
    return embeddings.embedded(request.auth, body)


@router.get("/models", response={200: ModelsOut} | errors(401, 429, 503), summary="List the models")
def list_models(request: ApiRequest) -> HttpResponse:
    """List the models that a person may pick, the default first."""
    return json_response({"object": "list", "data": [model_fields(name) for name in model_choices.choices()]})


@router.get("/models/{path:model}", response={200: ModelOut} | errors(401, 404, 429, 503), summary="Describe a model")
def get_model(request: ApiRequest, model: str) -> HttpResponse:
    """Describe one of them."""
    # All that can be asked, not only those that fit into the list.
    if model not in model_choices.choices() and not model_choices.is_listed(model):
        raise Problem("model_not_found")
    return json_response(model_fields(model))


def model_fields(name: str) -> dict[str, object]:
    """A model as `ModelOut` describes it."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "chatbot"}
