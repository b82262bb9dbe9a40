"""Embeddings at the door: the provider's own."""

import json
from typing import Any

import openai
import pytest

from accounts.models import User
from conversations.models import TurnWindow
from tests.api.program import Program
from tests.kit.provider import ScriptedProvider, error, html, json_answer

pytestmark = pytest.mark.django_db(transaction=True)

VECTOR = {"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}
ANSWER = {
    "object": "list",
    "data": [VECTOR],
    "model": "embedder",
    "usage": {"prompt_tokens": 42, "total_tokens": 42},
}


def embed(official: openai.OpenAI, **more: Any) -> Any:
    return official.embeddings.create(**{"model": "embedder", "input": "Hello", "encoding_format": "float"} | more)


def test_embeddings_pass_through(official: openai.OpenAI, user: User, module_provider: ScriptedProvider) -> None:
    module_provider.embeddings(json_answer(ANSWER))
    given = embed(official, input=["Hello", "World"], dimensions=2, user="ada")
    assert given.data[0].embedding == [0.25, -0.5]
    assert given.usage.total_tokens == 42
    asked = module_provider.requests[-1]
    assert asked.path == "/v1/embeddings"
    assert asked.json == {
        "model": "embedder",
        "input": ["Hello", "World"],
        "dimensions": 2,
        "user": "ada",
        "encoding_format": "float",
    }
    window = TurnWindow.objects.get(pk=user.pk)
    assert (window.day_messages, window.day_tokens) == (1, 42)


@pytest.mark.parametrize("given", ["Hello", ["a", "b"], [1, 2, 3], [[1, 2], [3]]])
def test_texts_and_tokens_are_taken(official: openai.OpenAI, module_provider: ScriptedProvider, given: Any) -> None:
    module_provider.embeddings(json_answer(ANSWER))
    embed(official, input=given)
    assert module_provider.requests[-1].json["input"] == given


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "x"}, "model"),
        ({"model": "embedder"}, "input"),
        ({"model": "embedder", "input": []}, "input"),
        ({"model": "embedder", "input": ["a", 1]}, "input"),
        ({"model": "embedder", "input": {"text": "a"}}, "input"),
        ({"model": "embedder", "input": "x", "api_base": "https://evil.example"}, "api_base"),
        ({"model": "embedder", "input": "x", "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_what_cannot_be_embedded_is_refused_by_its_name(program: Program, body: dict[str, Any], param: str) -> None:
    refused = program.post("/v1/embeddings", body)
    assert (refused.status, refused.json["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    "script", [html(404), error(404, "The model `embedder` does not exist", code="model_not_found")]
)
def test_a_provider_without_embeddings_is_told(
    official: openai.OpenAI, module_provider: ScriptedProvider, script: Any
) -> None:
    module_provider.embeddings(script)
    with pytest.raises(openai.NotFoundError) as refusal:
        embed(official)
    assert "offers no embeddings" in refusal.value.message


def test_failures_are_those_of_completions(official: openai.OpenAI, module_provider: ScriptedProvider) -> None:
    module_provider.embeddings(error(429, "Slow down", headers={"Retry-After": "3"}))
    with pytest.raises(openai.RateLimitError) as refusal:
        embed(official)
    assert refusal.value.response.headers["Retry-After"] == "3"
    module_provider.embeddings(json_answer({"object": "list", "data": []}, status=500))
    with pytest.raises(openai.InternalServerError):
        embed(official)


def test_an_answer_of_megabytes_passes_whole(program: Program, module_provider: ScriptedProvider) -> None:
    many = {**ANSWER, "data": [VECTOR | {"index": place} for place in range(50_000)]}
    module_provider.embeddings(json_answer(many))
    answer = program.post("/v1/embeddings", {"model": "embedder", "input": ["x"] * 100})
    assert json.loads(answer.body) == many
