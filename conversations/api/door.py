"""The door for OpenAI's clients: models, completions, responses, embeddings; a turn is stored only when asked."""

from typing import Annotated

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from ninja import Header, Router

from accounts.bearer import ApiRequest
from chatbot.web.api import json_response
from chatbot.web.problems import Problem, invalid
from conversations.api import answers, asking, embeddings, keeping
from conversations.api.chat import IdempotencyKey
from conversations.api.completion_schemas import CompletionIn, CompletionOut, DoorErrorOut, ModelOut, ModelsOut
from conversations.api.documents import CHUNKS, RESPONSE_EVENTS
from conversations.api.embeddings import EmbeddingsIn, EmbeddingsOut
from conversations.api.responses import translation
from conversations.api.responses.answer import ResponseAnswer
from conversations.api.responses.schemas import ResponseIn, ResponseOut
from conversations.api.site_tools import SiteTools
from conversations.llm import model_choices

router = Router(tags=["openai"])


def errors(*statuses: int) -> dict[int, type[DoorErrorOut]]:
    """Responses with these statuses, and 400, as errors in OpenAI's format."""
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
        str, Header(alias="X-Conversation", description="Equals `conversation` in `metadata`.")
    ] = "",
    idempotency_key: IdempotencyKey = "",
    tools: SiteTools = "",
) -> HttpResponseBase:
    """Answer like OpenAI's endpoint of this name. Nothing is stored unless a `conversation` is named.

    A named conversation, or a `new` one, has its own history: send only the new message, for a new conversation
    preceded by instructions if needed.
    """
    answers.make_room(request.auth)
    if refused := body.refused:
        raise invalid(*refused)
    named = conversation or body.conversation
    if named:
        return keeping.kept(request, body, named, idempotency_key, tools)
    return asking.completed(request.auth, body, tools)


@router.post(
    "/responses",
    response={200: ResponseOut} | FAILURES,
    openapi_extra=RESPONSE_EVENTS,
    summary="Create a response",
)
def respond(request: ApiRequest, body: ResponseIn, tools: SiteTools = "") -> HttpResponseBase:
    """Answer like OpenAI's endpoint of this name, from the whole input; nothing is stored.

    The model is asked for a completion, within the same limits and with the same errors.
    """
    answers.make_room(request.auth)
    if "X-Conversation" in request.headers:
        raise invalid(("X-Conversation", "Responses are not stored in conversations: completions can be."))
    if refused := body.refused:
        raise invalid(*refused)
    question = translation.question(body)
    answer = ResponseAnswer(question.model, translation.repeated(body))
    return asking.answered(request.auth, question, answer, tools)


@router.post("/embeddings", response={200: EmbeddingsOut} | FAILURES, summary="Embed texts")
def embed(request: ApiRequest, body: EmbeddingsIn) -> HttpResponseBase:
    """Return the provider's embeddings, if it offers any. A request counts as a message."""
    return embeddings.embedded(request.auth, body)


@router.get("/models", response={200: ModelsOut} | errors(401, 429, 503), summary="List the models")
def list_models(request: ApiRequest) -> HttpResponse:
    """List the models that a person may choose, the default first."""
    return json_response({"object": "list", "data": [model_fields(name) for name in model_choices.choices()]})


@router.get("/models/{path:model}", response={200: ModelOut} | errors(401, 404, 429, 503), summary="Describe a model")
def get_model(request: ApiRequest, model: str) -> HttpResponse:
    """Return one of the models."""
    # Any model that can be asked, also beyond the list's length.
    if model not in model_choices.choices() and not model_choices.is_listed(model):
        raise Problem("model_not_found")
    return json_response(model_fields(model))


def model_fields(name: str) -> dict[str, object]:
    """A model's fields as `ModelOut` describes them."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "chatbot"}
