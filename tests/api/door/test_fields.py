"""The fields of the protocol: each is passed on, answered, or refused by its name."""

import json
from typing import Any, get_type_hints

import openai
import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from conversations.api.completion_schemas import CompletionIn
from conversations.api.fields import EXTRAS, NOT_KEPT, PASSED_ON
from tests.api.program import Program
from tests.kit.provider import ScriptedProvider, Text, reply, stream
from tests.kit.provider.script import END, Done, Finish, Raw
from tests.kit.server import ROOT

pytestmark = pytest.mark.django_db(transaction=True)

HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
SENT: dict[str, Any] = {
    "frequency_penalty": 0.5,
    "function_call": "auto",
    "functions": [TOOL["function"]],
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "max_completion_tokens": 16,
    "max_tokens": 16,
    "parallel_tool_calls": False,
    "prediction": {"type": "content", "content": "x"},
    "presence_penalty": -0.5,
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "explicit"},
    "prompt_cache_retention": "24h",
    "reasoning_effort": "low",
    "response_format": {"type": "json_object"},
    "safety_identifier": "s",
    "seed": 7,
    "stop": ["\n"],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "tools": [TOOL],
    "top_logprobs": 2,
    "top_p": 0.9,
    "user": "ada",
    "verbosity": "low",
    "web_search_options": {"search_context_size": "low"},
    "top_k": 40,
    "chat_template_kwargs": {"enable_thinking": False},
    "min_p": 0.1,
}
REFUSED: dict[str, Any] = {
    "n": 2,
    "audio": {"voice": "alloy", "format": "wav"},
    "modalities": ["text", "audio"],
    "moderation": {"model": "x"},
    "service_tier": "priority",
    "store": True,
    "models": ["cheap", "dear"],
    "api_base": "https://evil.example",
    "whatever": 1,
}


def ask(official: openai.OpenAI, **more: Any) -> Any:
    return official.chat.completions.create(**{"model": "auto", "messages": HELLO} | more)


def sent(provider: ScriptedProvider) -> dict[str, Any]:
    body: dict[str, Any] = provider.chats[-1].json
    return body


@pytest.mark.parametrize("name", list(SENT))
def test_a_field_is_passed_on(program: Program, module_provider: ScriptedProvider, name: str) -> None:
    answer = program.post("/v1/chat/completions", {"messages": HELLO, name: SENT[name]})
    assert answer.status == 200, answer.body
    assert sent(module_provider)[name] == SENT[name]


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_field_is_refused_by_its_name(program: Program, module_provider: ScriptedProvider, name: str) -> None:
    answer = program.post("/v1/chat/completions", {"messages": HELLO, name: REFUSED[name]})
    assert answer.status == 400
    assert answer.json["error"]["param"] == name
    assert name in answer.json["error"]["message"]
    assert not module_provider.chats


def test_null_is_absent_and_sixteen_is_sixteen(program: Program, module_provider: ScriptedProvider) -> None:
    everything = {name for name in CompletionIn.model_fields if name != "messages"} | {"top_k", "whatever"}
    answer = program.post(
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": "Hello", "name": None}]} | dict.fromkeys(everything),
    )
    assert answer.status == 200, answer.body
    assert sent(module_provider).keys() == {"messages", "model", "stream", "stream_options"}
    assert sent(module_provider)["messages"] == HELLO
    whole = {"max_tokens": 16.0, "n": 1.0, "seed": 7.0, "store": False, "modalities": ["text"], "service_tier": "auto"}
    answer = program.post(
        "/v1/chat/completions", b'{"messages": %s, %s' % (json.dumps(HELLO).encode(), json.dumps(whole).encode()[1:])
    )
    assert answer.status == 200, answer.body
    assert (sent(module_provider)["max_tokens"], sent(module_provider)["seed"]) == (16, 7)
    assert not sent(module_provider).keys() & {"n", "store", "modalities", "service_tier"}
    extras = b'{"messages": %s, "top_k": 40.0, "stop_token_ids": [2.0], "min_p": 0.5}' % json.dumps(HELLO).encode()
    assert program.post("/v1/chat/completions", extras).status == 200
    body = module_provider.chats[-1].body
    assert b'"top_k":40,' in body.replace(b" ", b"")
    assert b'"stop_token_ids":[2]' in body.replace(b" ", b"")


def test_every_field_of_the_protocol_is_in_the_table() -> None:
    """docs/openai.md, the schema and the package's own list of fields say the same."""
    table: dict[str, str] = {}
    kept: dict[str, str] = {}
    _, _, rest = (ROOT / "docs" / "openai.md").read_text().partition("## Fields")
    for line in rest.partition("\n## ")[0].splitlines():
        if line.startswith("| `"):
            fields, becomes, in_conversation = (cell.strip() for cell in line.strip("|").split("|"))
            for field in fields.replace("`", "").split(", "):
                assert field not in table, field
                table[field], kept[field] = becomes, in_conversation
    theirs = {*get_type_hints(CompletionCreateParamsBase), "stream"}
    assert theirs <= table.keys()
    assert set(table) == {*CompletionIn.model_fields, *EXTRAS}
    assert {name for name, becomes in table.items() if becomes.startswith("passed on")} == {
        *PASSED_ON,
        *EXTRAS,
        "temperature",
    }
    assert {name for name, becomes in kept.items() if becomes.startswith("refused")} >= NOT_KEPT
    for name, becomes in table.items():
        assert becomes.startswith(("passed on", "handled", "refused")), name
        if becomes.startswith("refused"):
            assert name in REFUSED, name


def test_messages_go_on_as_they_are(program: Program, module_provider: ScriptedProvider) -> None:
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "look", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "s"}},
    }
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "What is there?", "name": "ada"},
        {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None, "reasoning_content": "Hm"},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "A cat."}]},
        {"role": "user", "content": [{"type": "text", "text": "And?", "cache_control": {"type": "ephemeral"}}]},
    ]
    assert program.post("/v1/chat/completions", {"messages": messages, "tools": [TOOL]}).status == 200
    assert sent(module_provider)["messages"] == [
        {"role": "system", "content": "Be brief."},
        messages[1],
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "Hm"},
        {"role": "tool", "tool_call_id": "call_1", "content": "A cat."},
        messages[4],
    ]


def test_what_is_not_text_is_refused_by_its_kind(program: Program) -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    answer = program.post("/v1/chat/completions", {"messages": [{"role": "user", "content": [part]}]})
    assert (answer.status, answer.json["error"]["param"]) == (400, "messages.0.content")
    assert "image_url" in answer.json["error"]["message"]


def pieces(*deltas: dict[str, Any], finish: str = "tool_calls") -> Any:
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    return stream(*(Raw(b"data: " + json.dumps(chunk).encode() + b"\n\n") for chunk in chunks), Finish(finish), Done())


def function(name: str | None, arguments: Any, **more: Any) -> dict[str, Any]:
    described = {"arguments": arguments} | ({} if name is None else {"name": name})
    return more | {"function": described}


CALLS = {
    "openai": pieces(
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [function("look", "", index=0, id="call_a", type="function")],
        },
        {"tool_calls": [function(None, '{"at": ', index=0)]},
        {"tool_calls": [function(None, '"sea"}', index=0)]},
        {"tool_calls": [function("ask", "{}", index=1, id="call_b", type="function")]},
    ),
    "all number 0": pieces(
        {"tool_calls": [function("look", '{"at": "sea"}', index=0, id="call_a")]},
        {"tool_calls": [function("ask", "{}", index=0, id="call_b")]},
    ),
    "no numbers": pieces(
        {"tool_calls": [function("look", '{"at": "sea"}', id="call_a"), function("ask", "{}", id="call_b")]},
        finish="stop",
    ),
    "indexes as text and as fractions, kinds that are null": pieces(
        {"tool_calls": [function("look", "", index="0", id="call_a", type=None)]},
        {"tool_calls": [function(None, '{"at": "sea"}', index=0.0, id=None, type=None)]},
        {"tool_calls": [function("ask", "{}", index=1.0, id="call_b", type=None)]},
    ),
    "another id in each piece": pieces(
        {"tool_calls": [function("look", "", index=0, id="call_a", type="function")]},
        {"tool_calls": [function(None, '{"at": ', index=0, id="call_x", type="function")]},
        {"tool_calls": [function(None, '"sea"}', index=0, id="call_y", type="function")]},
        {"tool_calls": [function("ask", "{}", index=1, id="call_b", type="function")]},
    ),
    "no numbers, pieces by id": pieces(
        {"tool_calls": [function("look", '{"at": ', id="call_a")]},
        {"tool_calls": [function("ask", "", id="call_b")]},
        {"tool_calls": [function(None, '"sea"}', id="call_a"), function(None, "{}", id="call_b")]},
    ),
    "the calls once more at the end": pieces(
        {"tool_calls": [function("look", '{"at": "sea"}', index=0, id="call_a")]},
        {"tool_calls": [function("ask", "{}", index=1, id="call_b")]},
        {
            "tool_calls": [
                function("look", '{"at": "sea"}', index=0, id="call_a"),
                function("ask", "{}", index=1, id="call_b"),
            ]
        },
    ),
    "the name after the id": pieces(
        {"tool_calls": [{"index": 0, "id": "call_a", "type": "function"}]},
        {"tool_calls": [function("look", '{"at": "sea"}', index=0)]},
        {"tool_calls": [function("ask", "{}", index=1, id="call_b")]},
    ),
    "no arguments": pieces(
        {"tool_calls": [function("look", '{"at": "sea"}', index=0, id="call_a")]},
        {"tool_calls": [function("ask", None, index=1, id="call_b")]},
        finish="stop",
    ),
    "empty arguments": pieces(
        {"tool_calls": [function("look", '{"at": "sea"}', index=0, id="call_a")]},
        {"tool_calls": [function("ask", "", index=1, id="call_b")]},
        finish="function_call",
    ),
    "one call that is no list": pieces(
        {"tool_calls": function("look", '{"at": "sea"}', index=0, id="call_a")},
        {"tool_calls": [None, "x", 5, function("ask", "{}", index=1, id="call_b")]},
    ),
    "the name each time, arguments as an object": pieces(
        {"tool_calls": [function("look", None, index=0, id="call_a")]},
        {"tool_calls": [function("look", {"at": "sea"}, index=0, id="call_a")]},
        {"tool_calls": [function("ask", {}, index=1, id="call_b")]},
    ),
}


@pytest.mark.parametrize("kind", list(CALLS))
def test_calls_of_tools_come_back(official: openai.OpenAI, module_provider: ScriptedProvider, kind: str) -> None:
    module_provider.always(CALLS[kind])
    whole = ask(official, tools=[TOOL])
    choice = whole.choices[0]
    assert choice.message.content is None
    called = [(one.id, one.type, one.function.name, one.function.arguments) for one in choice.message.tool_calls]
    assert called == [("call_a", "function", "look", '{"at": "sea"}'), ("call_b", "function", "ask", "{}")]
    assert choice.finish_reason == "tool_calls"
    asked: Any = {"model": "auto", "messages": HELLO, "tools": [TOOL]}
    with official.chat.completions.stream(**asked) as events:
        streamed: Any = events.get_final_completion().choices[0]
    assert streamed.finish_reason == choice.finish_reason
    assert streamed.message.tool_calls
    assert [
        (one.id, one.type, one.function.name, one.function.arguments) for one in streamed.message.tool_calls
    ] == called


UNNAMED = {
    "one id for all": pieces(
        {"tool_calls": [function("look", '{"at": "sea"}', index=0, id="look")]},
        {"tool_calls": [function("look", '{"at": ', index=1, id="look")]},
        {"tool_calls": [function(None, '"sky"}', index=1, id="look")]},
    ),
    "one id for all, no numbers": pieces(
        {"tool_calls": [function("look", '{"at": "sea"}', id="x"), function("look", '{"at": "sky"}', id="x")]},
    ),
    "no ids": pieces(
        {"tool_calls": [function("look", '{"at": "sea"}', index=0)]},
        {"tool_calls": [function("look", '{"at": "sky"}', index=1)]},
    ),
    "no ids, all number 0": pieces(
        {"tool_calls": [function("look", '{"at": "sea"}', index=0)]},
        {"tool_calls": [function("look", '{"at": "sky"}', index=0)]},
    ),
    "neither ids nor numbers": pieces(
        {"tool_calls": [function("look", '{"at": ')]},
        {"tool_calls": [function(None, '"sea"}')]},
        {"tool_calls": [function("look", '{"at": "sky"}')]},
    ),
    "the old form": pieces(
        {"function_call": {"name": "look", "arguments": '{"at": '}},
        {"function_call": {"name": "look", "arguments": '"sea"}'}},
        {"function_call": {"name": "look", "arguments": '{"at": "sky"}'}},
        finish="function_call",
    ),
}


@pytest.mark.parametrize("kind", list(UNNAMED))
def test_each_call_has_an_id_of_its_own(official: openai.OpenAI, module_provider: ScriptedProvider, kind: str) -> None:
    module_provider.always(UNNAMED[kind])
    whole = ask(official, tools=[TOOL]).choices[0]
    asked: Any = {"model": "auto", "messages": HELLO, "tools": [TOOL]}
    with official.chat.completions.stream(**asked) as events:
        streamed: Any = events.get_final_completion().choices[0]
    for choice in (whole, streamed):
        assert choice.finish_reason == "tool_calls"
        assert [one.function.arguments for one in choice.message.tool_calls] == ['{"at": "sea"}', '{"at": "sky"}']
        assert {one.function.name for one in choice.message.tool_calls} == {"look"}
        assert len({one.id for one in choice.message.tool_calls} - {""}) == 2


@pytest.mark.parametrize("streams", [False, True])
def test_a_call_that_was_cut_off_is_not_completed(
    official: openai.OpenAI,
    module_provider: ScriptedProvider,
    streams: bool,  # noqa: FBT001
) -> None:
    module_provider.always(
        pieces({"tool_calls": [function("erase", "", index=0, id="call_a", type="function")]}, finish="length")
    )
    answer = ask(official, tools=[TOOL], stream=streams)
    choices = [chunk.choices[0] for chunk in (answer if streams else [answer])]
    assert choices[-1].finish_reason == "length"
    calls = [call for choice in choices for call in (choice.delta if streams else choice.message).tool_calls or ()]
    assert [call.function.arguments for call in calls] == [""]


def test_characters_of_arguments_that_were_split_are_joined(
    official: openai.OpenAI, module_provider: ScriptedProvider
) -> None:
    module_provider.always(
        pieces(
            {"tool_calls": [function("look", '{"at": "\ud83d', index=0, id="call_a")]},
            {"tool_calls": [function(None, '\ude00\x00"}', index=0)]},
        )
    )
    (call,) = ask(official, tools=[TOOL]).choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"at": "\U0001f600"}


def test_the_tools_of_a_program_and_their_results_reach_the_model(
    official: openai.OpenAI, module_provider: ScriptedProvider
) -> None:
    """A round: the calls of an answer go back as they came, and the results beside them."""
    module_provider.play(CALLS["no numbers"], reply("A cat and a dog."))
    asked: dict[str, Any] = {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": True}
    message = ask(official, **asked).choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": call.function.name} for call in message.tool_calls]
    said = ask(official, messages=[*HELLO, message, *results], **asked).choices[0].message.content
    assert said == "A cat and a dog."
    assert {name: sent(module_provider)[name] for name in asked} == asked
    _, assistant, *told = sent(module_provider)["messages"]
    assert (assistant["role"], assistant["content"]) == ("assistant", None)
    assert assistant["tool_calls"] == [
        {"id": "call_a", "type": "function", "function": {"name": "look", "arguments": '{"at": "sea"}'}},
        {"id": "call_b", "type": "function", "function": {"name": "ask", "arguments": "{}"}},
    ]
    assert told == results


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(("arguments", "finish"), [("{}", "function_call"), (None, "stop")])
def test_the_old_kind_of_calls_comes_back_too(
    official: openai.OpenAI,
    module_provider: ScriptedProvider,
    arguments: str | None,
    finish: str,
    streams: bool,  # noqa: FBT001
) -> None:
    module_provider.always(
        pieces(
            {"function_call": {"name": "look", "arguments": ""}},
            {"function_call": {"arguments": arguments}},
            finish=finish,
        )
    )
    answer = ask(official, functions=[TOOL["function"]], stream=streams)
    choices = [chunk.choices[0] for chunk in (answer if streams else [answer])]
    assert choices[-1].finish_reason == "function_call"
    called = [one for choice in choices if (one := (choice.delta if streams else choice.message).function_call)]
    assert "".join(one.name or "" for one in called) == "look"
    assert "".join(one.arguments or "" for one in called) == "{}"


@pytest.mark.parametrize("streams", [False, True])
def test_nobody_is_told_of_calls_that_never_came(
    official: openai.OpenAI,
    module_provider: ScriptedProvider,
    streams: bool,  # noqa: FBT001
) -> None:
    module_provider.always(stream(Text("No call"), Finish("tool_calls"), Done()))
    answer = ask(official, stream=streams)
    reasons = [chunk.choices[0].finish_reason for chunk in (answer if streams else [answer])]
    assert [reason for reason in reasons if reason] == ["stop"]


@pytest.mark.parametrize(
    ("theirs", "told"), [("length", "length"), ("max_tokens", "length"), ("eos", "stop"), ("STOP", "stop")]
)
def test_the_reason_is_one_of_the_protocols(
    official: openai.OpenAI, module_provider: ScriptedProvider, theirs: str, told: str
) -> None:
    module_provider.always(stream(Text("Half"), Finish(theirs), Done()))
    answer = ask(
        official,
    )
    assert answer.choices[0].finish_reason == told


def test_probabilities_come_back(official: openai.OpenAI, module_provider: ScriptedProvider) -> None:
    def with_logprobs(token: str) -> Raw:
        probability = {"content": [{"token": token, "logprob": -0.1, "bytes": None, "top_logprobs": []}]}
        choice = {"index": 0, "delta": {"content": token}, "logprobs": probability, "finish_reason": None}
        return Raw(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")

    module_provider.always(stream(with_logprobs("One"), with_logprobs(" two"), *END))
    asked: Any = {"model": "auto", "messages": HELLO, "logprobs": True}
    whole = ask(official, **asked).choices[0]
    assert whole.message.content == "One two"
    assert [one.token for one in whole.logprobs.content] == ["One", " two"]
    with ask(official, **asked, stream=True) as chunks:
        choices = [chunk.choices[0] for chunk in chunks]
    assert "".join(choice.delta.content or "" for choice in choices) == "One two"
    assert [one.token for choice in choices if choice.logprobs for one in choice.logprobs.content] == ["One", " two"]


@pytest.mark.parametrize("metadata", [None, {"conversation": "new"}], ids=["not kept", "kept"])
@pytest.mark.parametrize("streams", [False, True])
def test_details_of_the_count_pass_through(
    official: openai.OpenAI,
    module_provider: ScriptedProvider,
    metadata: dict[str, str] | None,
    streams: bool,  # noqa: FBT001
) -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 12},
    }
    counted = Raw(b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n")
    module_provider.always(stream(Text("Hi"), Finish(), counted, Done()))
    more: Any = {"stream": True, "stream_options": {"include_usage": True}} if streams else {}
    answer = ask(official, metadata=metadata, **more)
    told = (list(answer)[-1] if streams else answer).usage
    assert (told.prompt_tokens_details.cached_tokens, told.completion_tokens_details.reasoning_tokens) == (64, 12)
    assert told.total_tokens == 120


def test_other_metadata_is_refused_by_its_name(program: Program) -> None:
    answer = program.post("/v1/chat/completions", {"messages": HELLO, "metadata": {"trace": "x"}})
    assert (answer.status, answer.json["error"]["param"]) == (400, "metadata.trace")


def test_empty_lists_of_tools_ask_for_nothing(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Hi"))
    none: dict[str, Any] = {"tools": [], "functions": [], "tool_choice": "auto", "parallel_tool_calls": True}
    messages = [*HELLO, {"role": "assistant", "content": "Hi", "tool_calls": []}, *HELLO]
    assert program.post("/v1/chat/completions", {"messages": messages} | none).status == 200
    assert not sent(module_provider).keys() & none.keys()
    assert sent(module_provider)["messages"][1] == {"role": "assistant", "content": "Hi"}
