"""The official client of OpenAI, asking for responses."""

from typing import Any

import openai
import pytest
from pydantic import BaseModel

from accounts.models import User
from conversations.models import Conversation, TurnWindow
from tests.api.responses.kit import LOOK, call, deltas, sent
from tests.kit.provider import ScriptedProvider, Text, error, reply, stream
from tests.kit.provider.script import END, Close, Done, Finish, Gate, Raw, Reasoning

pytestmark = pytest.mark.django_db(transaction=True)

TWO_CALLS = deltas(call(0, "call_a", "look", '{"at": "sea"}'), call(1, "call_b", "look", '{"at": "sky"}'))


class Place(BaseModel):
    """A place, as the model is to describe it."""

    name: str
    depth: int


def create(official: openai.OpenAI, **more: Any) -> Any:
    return official.responses.create(**{"model": "auto", "input": "Hello"} | more)


def test_a_response_is_made_and_stored_nowhere(official: openai.OpenAI, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Reasoning("Hm"), Text("Good"), Text(" day"), *END))
    response = create(official, instructions="Be brief.", max_output_tokens=20, temperature=0.5)
    assert response.output_text == "Good day"
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert (response.status, response.object, response.error, response.incomplete_details) == (
        "completed",
        "response",
        None,
        None,
    )
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens > 0
    assert not Conversation.objects.exists()
    assert sent(module_provider)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
    ]
    assert (sent(module_provider)["temperature"], sent(module_provider)["max_tokens"]) == (0.5, 20)


def test_a_response_streams_as_it_is_made(official: openai.OpenAI, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One"), Gate("more"), Text(" two"), *END))
    text = ""
    with official.responses.stream(model="auto", input="Count") as events:
        for event in events:
            if event.type == "response.output_text.delta":
                text += event.delta
                assert event.snapshot == text
                module_provider.gate("more").open()
        assert events.get_final_response().output_text == text == "One two"


@pytest.mark.parametrize("streams", [False, True])
def test_a_round_with_tools(
    official: openai.OpenAI,
    module_provider: ScriptedProvider,
    streams: bool,  # noqa: FBT001
) -> None:
    """The output goes back as it came, with the results behind it, as the protocol's guide has it."""
    module_provider.play(TWO_CALLS, reply("A cat and a dog."))
    asked: dict[str, Any] = {"model": "auto", "tools": [LOOK], "tool_choice": "required", "parallel_tool_calls": True}
    said: list[Any] = [{"role": "user", "content": "What is there?"}]
    if streams:
        with official.responses.stream(input=said, **asked) as events:
            output = events.get_final_response().output
    else:
        output = create(official, input=said, **asked).output
    called = [item for item in output if item.type == "function_call"]
    assert [(item.call_id, item.name, item.arguments) for item in called] == [
        ("call_a", "look", '{"at": "sea"}'),
        ("call_b", "look", '{"at": "sky"}'),
    ]
    results = [
        {"type": "function_call_output", "call_id": item.call_id, "output": f"It is {item.arguments}"}
        for item in called
    ]
    assert create(official, input=[*said, *output, *results], **asked).output_text == "A cat and a dog."
    assert sent(module_provider)["messages"] == [
        {"role": "user", "content": "What is there?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": item.call_id,
                    "type": "function",
                    "function": {"name": item.name, "arguments": item.arguments},
                }
                for item in called
            ],
        },
        *({"role": "tool", "tool_call_id": one["call_id"], "content": one["output"]} for one in results),
    ]
    function = {name: LOOK[name] for name in ("name", "description", "parameters", "strict")}
    assert sent(module_provider)["tools"] == [{"type": "function", "function": function}]
    assert sent(module_provider)["tool_choice"] == "required"


@pytest.mark.parametrize("streams", [False, True])
def test_text_of_a_schema_is_parsed(
    official: openai.OpenAI,
    module_provider: ScriptedProvider,
    streams: bool,  # noqa: FBT001
) -> None:
    module_provider.play(stream(Text('{"name": "sea",'), Text(' "depth": 7}'), *END))
    if streams:
        with official.responses.stream(model="auto", input="Where?", text_format=Place) as events:
            parsed = events.get_final_response().output_parsed
    else:
        parsed = official.responses.parse(model="auto", input="Where?", text_format=Place).output_parsed
    assert parsed == Place(name="sea", depth=7)
    asked = sent(module_provider)["response_format"]
    assert (asked["type"], asked["json_schema"]["name"], asked["json_schema"]["strict"]) == (
        "json_schema",
        "Place",
        True,
    )
    assert asked["json_schema"]["schema"]["required"] == ["name", "depth"]


def test_arguments_of_a_model_class_are_parsed(official: openai.OpenAI, module_provider: ScriptedProvider) -> None:
    module_provider.play(deltas(call(0, "call_a", "Place", '{"name": "sea", "depth": 7}')))
    tool: Any = openai.pydantic_function_tool(Place)
    (called,) = official.responses.parse(model="auto", input="Where?", tools=[tool]).output
    assert called.type == "function_call"
    assert called.parsed_arguments == Place(name="sea", depth=7)


def test_what_a_client_no_longer_wants_is_not_made(official: openai.OpenAI, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One"), Gate("never"), *END))
    with create(official, stream=True) as events:
        next(event for event in events if event.type == "response.output_text.delta")
    assert module_provider.chats[0].wait_over(60)


@pytest.mark.parametrize("cut", ["connection", "error"])
def test_a_failure_in_the_middle_is_told_and_raised(
    official: openai.OpenAI, module_provider: ScriptedProvider, cut: str
) -> None:
    broken = Close() if cut == "connection" else Raw(b'data: {"error":{"message":"overloaded","code":529}}\n\n')
    module_provider.play(stream(Text("Half an"), Gate("half"), broken))
    told = []
    with pytest.raises(openai.APIError) as refusal:  # noqa: PT012 (the events before it are looked at)
        for event in create(official, stream=True):
            told.append(event)
            if event.type == "response.output_text.delta":
                module_provider.gate("half").open()
    assert refusal.value.code == "provider_broke_off"
    assert told[-1].type == "response.failed"
    failed = told[-1].response
    assert (failed.status, failed.error.code, failed.output_text) == ("failed", "server_error", "Half an")
    assert failed.error.message == refusal.value.message


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("script", "kind", "code"),
    [
        (error(400, "Too long", code="context_length_exceeded"), openai.BadRequestError, "context_length_exceeded"),
        (error(401, "Incorrect API key provided", code="invalid_api_key"), openai.AuthenticationError, "provider_key"),
        (error(404, "No such model", code="model_not_found"), openai.NotFoundError, "model_not_found"),
        (error(429, "Slow down", code="rate_limit_exceeded"), openai.RateLimitError, "rate_limit_exceeded"),
        (error(503, "Overloaded"), openai.InternalServerError, "provider_unavailable"),
        (stream(Finish(), Done()), openai.InternalServerError, "provider_protocol"),
    ],
    ids=["too long", "key", "model", "rate", "down", "empty"],
)
def test_a_refusal_is_what_it_is_for_a_completion(
    official: openai.OpenAI,
    module_provider: ScriptedProvider,
    script: Any,
    kind: type[openai.APIStatusError],
    code: str,
    streams: bool,  # noqa: FBT001
) -> None:
    module_provider.always(script)
    with pytest.raises(kind) as refusal:
        create(official, stream=streams)
    assert refusal.value.code == code
    with pytest.raises(kind) as other:
        official.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hello"}], stream=streams)
    assert (refusal.value.code, refusal.value.body) == (other.value.code, other.value.body)


def test_a_response_counts_toward_the_limits(
    official: openai.OpenAI, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.always(reply("Good day"))
    create(official)
    list(create(official, stream=True))
    window = TurnWindow.objects.get(user=user)
    assert (window.day_messages, window.day_tokens) == (2, 18)


def test_more_than_the_site_lets_a_model_read_is_told(
    official: openai.OpenAI, module_provider: ScriptedProvider
) -> None:
    for more in ({"instructions": "word " * 100_000}, {"tools": [LOOK | {"description": "word " * 100_000}]}):
        with pytest.raises(openai.BadRequestError) as refusal:
            create(official, **more)
        assert refusal.value.code == "context_length_exceeded"
    assert not module_provider.chats
