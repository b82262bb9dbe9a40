"""Embeddings: the provider's answer, passed on within the limits of replies."""

import re
from typing import Annotated, Any, Literal

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from ninja import Field, Schema
from pydantic import BeforeValidator, ConfigDict, WithJsonSchema, field_validator

from accounts.callers import Caller
from chatbot.web import problems
from chatbot.web.api import Body
from chatbot.web.awaited import AwaitedResponse
from chatbot.web.problems import Problem
from conversations.api import counting
from conversations.api.completion_schemas import Count, is_json
from conversations.llm import service as llm
from conversations.llm.service import LLMError
from conversations.models import MODEL_MAX_CHARS
from conversations.replies import context

TOKENS = re.compile(rb'"(?:prompt|total)_tokens"\s*:\s*(\d{1,10})')
NEAR_AN_END = 2_000
"""Bytes at either end in which the token count is searched: it is before or after the megabytes of numbers."""

NONE_HERE = "The model provider of this site offers no embeddings, or not with this model."


def texts(value: Any) -> Any:
    """Validate a text, texts, tokens, or lists of tokens. Raises ValueError."""
    listed = value if isinstance(value, list) else [value]
    if not listed:
        raise ValueError("This is empty.")
    kinds = {type(one) for one in listed}
    if kinds == {list}:
        kinds = {type(token) for one in listed for token in one}
        if kinds == {int}:
            return value
    if kinds != {str} and not (kinds == {int} and isinstance(value, list)):
        raise ValueError("This must be text, a list of texts, or tokens.")
    return value


TEXTS = {"type": "array", "minItems": 1, "items": {"type": "string"}}
Input = Annotated[Any, BeforeValidator(texts), WithJsonSchema({"anyOf": [{"type": "string"}, TEXTS]})]


class EmbeddingsIn(Body):
    """A request for embeddings; `input` may also be tokens, or lists of tokens."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"model": "text-embedding-3-small", "input": "Hello!"}}
    )

    input: Input = Field(description="A text, or a list of texts.")
    model: str = Field(min_length=1, max_length=MODEL_MAX_CHARS, description="An embedding model of the provider.")
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Count | None = None
    user: str | None = None
    input_type: str | None = Field(None, description="Passed to the provider.")
    truncate: str | None = Field(None, description="Passed to the provider.")
    truncate_prompt_tokens: Count | None = Field(None, description="Passed to the provider.")

    @field_validator("input", "model")
    @classmethod
    def can_be_passed_on(cls, value: object) -> object:
        """Check that a value passed on to the provider is JSON. Raises ValueError."""
        if not is_json(value):
            raise ValueError("This is not valid text.")
        return value


class EmbeddingsOut(Schema):
    """Embeddings as the provider returns them."""

    object: str = "list"
    data: list[dict[str, Any]]
    model: str = ""


def embedded(caller: Caller, body: EmbeddingsIn) -> HttpResponseBase:
    """The provider's answer as a response. Raises `Problem` and what `turns.admit` raises."""
    counting.admit(caller)
    user_id = caller.user.pk

    async def make() -> HttpResponseBase:
        tokens = 0
        try:
            with counting.running(user_id):
                answer = await llm.embed(body.model_dump(exclude_none=True))
                tokens = tokens_of(answer) or estimate(body.input)
                return HttpResponse(answer, "application/json")
        except Exception as error:  # noqa: BLE001 (each becomes an answer)
            return problems.answer(as_problem(error), door=True)
        finally:
            await counting.count(user_id, tokens)

    return AwaitedResponse(make)


def as_problem(error: Exception) -> Problem:
    """The problem of an error; a provider of chat models need not offer embeddings."""
    if isinstance(error, LLMError) and error.code in {"provider_address", "provider_model"}:
        return Problem("model_not_found", NONE_HERE)
    return problems.as_problem(error)


def tokens_of(answer: bytes) -> int:
    """The token count in the provider's answer, or 0."""
    found = TOKENS.search(answer[-NEAR_AN_END:]) or TOKENS.search(answer[:NEAR_AN_END])
    return int(found[1]) if found else 0


def estimate(given: Any) -> int:
    """Approximate number of tokens of the input."""
    if isinstance(given, str):
        return context.estimate_tokens(given)
    return sum(1 if isinstance(one, int) else len(one) if isinstance(one, list) else estimate(one) for one in given)
