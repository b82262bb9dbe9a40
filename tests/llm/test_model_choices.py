"""Which models a person may pick, and what a provider's list of them means."""

import socket
import threading
from collections.abc import Iterator

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from conversations.llm import catalogue, client, model_choices
from conversations.llm import service as llm
from tests.kit.provider import ScriptedProvider, error, json_answer, reply
from tests.support.asking import QUESTION

WAIT_SECONDS = 10


@pytest.fixture(autouse=True)
def nothing_asks_on(provider: ScriptedProvider) -> Iterator[None]:
    """Nothing that asks outlives its test, and none waits for the client to be imported."""
    client.tls()
    yield
    for thread in threading.enumerate():
        if thread.name == "list of models":
            thread.join(WAIT_SECONDS)


@pytest.fixture
def listing(
    nothing_asks_on: None, provider: ScriptedProvider, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The models of a provider of which nothing else is configured; change the list to change them."""
    monkeypatch.setattr(catalogue, "FIRST_WAIT_SECONDS", 60.0)
    settings.OPENAI_BASE_URL = provider.url
    provider.models[:] = ["mistral", "Llama", "qwen"]
    return provider.models


@pytest.fixture
def silent(nothing_asks_on: None, settings: Settings) -> Iterator[None]:
    """A provider that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.OPENAI_BASE_URL = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        yield


async def ask(model: str = llm.OTHER_MODEL) -> list[llm.Event]:
    return [event async for event in llm.stream(QUESTION, model=model)]


def test_the_demo_model_is_the_only_choice(settings: Settings) -> None:
    settings.CHAT_MODELS = ["never-asked"]
    assert model_choices.choices() == ["SmolLM2-135M-Instruct"]
    assert model_choices.to_ask("never-asked") == "SmolLM2-135M-Instruct"


def test_the_named_models_are_the_choices(settings: Settings) -> None:
    settings.OPENAI_API_KEY = "a key"
    settings.CHAT_MODELS = ["large", "small", "large"]
    assert model_choices.choices() == ["large", "small"]
    assert model_choices.default_name() == "large"


def test_a_provider_that_lists_its_models_is_asked_once(listing: list[str], provider: ScriptedProvider) -> None:
    for _ in range(3):
        assert model_choices.choices() == ["mistral", "Llama", "qwen"]
    assert len(provider.requests) == 1


def test_what_does_not_chat_is_no_choice(listing: list[str]) -> None:
    listing += ["text-embedding-3-small", "whisper-1", "tts-1-hd", "omni-moderation-latest", "Smart-tTSx"]
    listing += ["a" * 201, "ft:gpt-5.4-mini:team"]
    assert model_choices.choices() == ["mistral", "ft:gpt-5.4-mini:team", "Llama", "qwen", "Smart-tTSx"]


OTHER_KINDS = ["text-embedding-3-small", "bge-m3", "jina-reranker-v2", "tts-1", "kokoro-82m", "dall-e-3", "flux-1"]
OTHER_KINDS += ["omni-moderation-latest", "llama-guard-4", "whisper-1", "stable-diffusion-3.5"]


@pytest.mark.parametrize("first", OTHER_KINDS)
async def test_what_does_not_chat_is_no_default(listing: list[str], provider: ScriptedProvider, first: str) -> None:
    listing.insert(0, first)
    provider.always(reply("Yes."))
    assert (await ask())[0] == llm.Asked("mistral")
    assert model_choices.default_name() == "mistral"
    assert model_choices.choices() == ["mistral", "Llama", "qwen"]


@pytest.mark.parametrize(
    "of_another_kind",
    [
        {"type": "embedding"},
        {"type": "Rerank"},
        {"capabilities": {"completion_chat": False}},
        {"architecture": {"output_modalities": ["image"]}},
    ],
)
def test_what_a_provider_says_of_a_model_counts(
    listing: list[str], provider: ScriptedProvider, of_another_kind: dict[str, object]
) -> None:
    provider.listing(json_answer({"data": [{"id": "jasper-2b", **of_another_kind}, {"id": "mistral", "type": "chat"}]}))
    assert model_choices.choices()[0] == "mistral"


@pytest.mark.parametrize(
    "body",
    [
        [{"id": "mistral"}, {"id": "qwen"}],
        ["mistral", "qwen"],
        {"models": [{"name": "mistral"}, {"name": "qwen"}]},
        {"object": "list", "data": [{"id": "mistral"}, {"id": None}, {"id": "qwen"}]},
    ],
)
async def test_a_list_may_have_any_form(listing: list[str], provider: ScriptedProvider, body: object) -> None:
    provider.listing(json_answer(body))
    assert model_choices.choices() == ["mistral", "qwen"]
    catalogue.forget(provider.url)
    provider.always(reply("Yes."))
    assert (await ask())[0] == llm.Asked("mistral")


def test_a_model_past_those_that_are_listed_is_known(listing: list[str]) -> None:
    listing[:] = [f"model-{number:03}" for number in range(300)]
    assert len(model_choices.choices()) == 200
    assert model_choices.is_listed("model-299")
    assert model_choices.is_offered("model-299")
    assert not model_choices.is_listed("model-300")


def test_of_a_list_without_end_only_the_beginning_is_remembered(listing: list[str]) -> None:
    listing[:] = ["x" * 2_000, *(f"m{number}" for number in range(3_000))]
    assert len(model_choices.choices()) == 200
    assert len(llm.known_models() or ()) == catalogue.NAMES_MAX


async def test_a_list_of_megabytes_is_none(listing: list[str], provider: ScriptedProvider) -> None:
    listing[:] = ["x" * 900] * 10_000
    assert model_choices.choices() == []
    provider.always(reply("Yes."))
    with pytest.raises(llm.LLMError):
        await ask()


async def test_of_an_error_of_megabytes_the_beginning_is_read(listing: list[str], provider: ScriptedProvider) -> None:
    provider.always(error(400, "no " * 1_000_000))
    with pytest.raises(llm.LLMError) as refusal:
        await ask()
    assert len(refusal.value.detail) < 100_000


def test_a_provider_with_embeddings_only_still_shows_them(listing: list[str]) -> None:
    listing[:] = ["embed-a", "embed-b"]
    assert model_choices.choices() == ["embed-a", "embed-b"]


def test_a_silent_provider_keeps_nobody(silent: None) -> None:
    # Without an answer there is no choice, and whatever was chosen is asked for.
    for _ in range(20):
        assert model_choices.choices() == []
    assert model_choices.default_name() == ""
    assert model_choices.to_ask("mistral") == "mistral"


def test_a_provider_that_cannot_be_reached_is_left_alone_for_a_while(
    settings: Settings, closed_port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(catalogue, "FIRST_WAIT_SECONDS", 60.0)
    settings.OPENAI_BASE_URL = f"http://127.0.0.1:{closed_port}/v1"
    for _ in range(5):
        assert model_choices.choices() == []
    assert len([record for record in caplog.records if "no list of its models" in record.message]) == 1


def test_an_old_list_is_used_while_a_new_one_is_asked_for(
    listing: list[str], provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "FRESH_SECONDS", 0.0)
    assert model_choices.choices() == ["mistral", "Llama", "qwen"]
    listing[:] = ["new"]
    while model_choices.choices() != ["new"]:
        assert model_choices.choices() in (["mistral", "Llama", "qwen"], ["new"])


def test_a_model_that_is_not_offered_gives_way_to_the_default(settings: Settings) -> None:
    settings.OPENAI_API_KEY = "a key"
    settings.CHAT_MODELS = ["large", "small"]
    assert [model_choices.to_ask(name) for name in ("small", "gone", "")] == ["small", "large", "large"]


async def test_a_first_model_that_was_removed_gives_way_to_the_next_first(
    listing: list[str], provider: ScriptedProvider
) -> None:
    provider.play(reply("One"))
    assert (await ask())[0] == llm.Asked("mistral")
    listing[:] = ["qwen"]
    provider.play(error(404, "The model `mistral` does not exist", code="model_not_found"), reply("Two"))
    assert (await ask())[0] == llm.Asked("qwen")
    assert [request.json["model"] for request in provider.chats] == ["mistral", "mistral", "qwen"]


async def test_a_first_model_that_is_listed_and_missing_is_an_error(
    listing: list[str], provider: ScriptedProvider
) -> None:
    provider.always(error(404, "model 'mistral' not found"))
    with pytest.raises(llm.LLMError) as failed:
        await ask()
    assert failed.value.code == "provider_model"


async def test_a_missing_model_has_the_list_asked_for_again(listing: list[str], provider: ScriptedProvider) -> None:
    assert "qwen" in model_choices.choices()
    listing.remove("qwen")
    provider.play(error(404, "model 'qwen' not found"))
    with pytest.raises(llm.LLMError):
        await ask("qwen")
    assert model_choices.choices() == ["mistral", "Llama"]


async def test_the_provider_is_told_the_temperature_when_there_is_one(
    listing: list[str], provider: ScriptedProvider
) -> None:
    for temperature in (0.0, 0.7, None):
        _ = [event async for event in llm.stream(QUESTION, model="scripted", temperature=temperature)]
    assert [request.json.get("temperature") for request in provider.chats] == [0.0, 0.7, None]
    assert "temperature" not in provider.chats[2].json


async def test_a_model_that_takes_no_temperature_says_what_to_do(
    listing: list[str], provider: ScriptedProvider
) -> None:
    provider.always(error(400, "Unsupported value: 'temperature' does not support 0.2 with this model."))
    with pytest.raises(llm.LLMError, match="Take the temperature out"):
        _ = [event async for event in llm.stream(QUESTION, model="scripted", temperature=0.2)]


def test_a_name_that_is_too_long_for_its_column_stops_the_start(settings: Settings) -> None:
    settings.OPENAI_API_KEY = "a key"
    settings.CHAT_MODELS = ["a" * 200, "b" * 201]
    (problem,) = [problem for problem in run_checks() if problem.id == "conversations.E002"]
    assert "201 characters" in problem.msg
