"""The fields of a request for a response: each is passed on, answered, or refused by its name."""

import json
from typing import Any, get_args, get_type_hints

import pytest
from openai.types.responses import response_includable
from openai.types.responses.response_create_params import ResponseCreateParamsBase

from conversations.api.responses.schemas import EXTRA_FIELDS, Includable, ResponseIn
from tests.api.program import Program
from tests.api.responses.kit import LOOK, respond, sent
from tests.kit.provider import ScriptedProvider, reply
from tests.kit.server import ROOT

pytestmark = pytest.mark.django_db(transaction=True)

FUNCTION = {name: LOOK[name] for name in ("name", "description", "parameters", "strict")}
SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}}
FORM = {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True, "description": None}
OTHER = {"type": "function", "name": "other", "parameters": None, "strict": None}

SENT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "instructions": ({"instructions": "Be brief."}, {}),
    "max_output_tokens": ({"max_output_tokens": 16.0}, {"max_tokens": 16}),
    "temperature": ({"temperature": 0.5}, {"temperature": 0.5}),
    "top_p": ({"top_p": 0.9}, {"top_p": 0.9}),
    "tools": ({"tools": [LOOK]}, {"tools": [{"type": "function", "function": FUNCTION}]}),
    "tools with little": ({"tools": [OTHER]}, {"tools": [{"type": "function", "function": {"name": "other"}}]}),
    "no tools": ({"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}, {}),
    "tool_choice": (
        {"tools": [LOOK], "tool_choice": {"type": "function", "name": "look"}},
        {
            "tools": [{"type": "function", "function": FUNCTION}],
            "tool_choice": {"type": "function", "function": {"name": "look"}},
        },
    ),
    "allowed tools": (
        {
            "tools": [LOOK, OTHER],
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "look"}],
            },
        },
        {"tools": [{"type": "function", "function": FUNCTION}], "tool_choice": "required"},
    ),
    "parallel_tool_calls": (
        {"tools": [LOOK], "parallel_tool_calls": False},
        {"tools": [{"type": "function", "function": FUNCTION}], "parallel_tool_calls": False},
    ),
    "text": (
        {"text": {"format": FORM, "verbosity": "low"}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "place", "schema": SCHEMA, "strict": True},
            },
            "verbosity": "low",
        },
    ),
    "text of JSON": ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
    "free text": ({"text": {"format": {"type": "text"}}}, {}),
    "reasoning": (
        {"reasoning": {"effort": "low", "summary": "auto", "generate_summary": None, "mode": "standard"}},
        {"reasoning_effort": "low"},
    ),
    "include": (
        {"include": ["reasoning.encrypted_content", "message.output_text.logprobs"]},
        {"logprobs": True},
    ),
    "top_logprobs": ({"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
    "user": ({"user": "ada"}, {"user": "ada"}),
    "safety_identifier": ({"safety_identifier": "s"}, {"safety_identifier": "s"}),
    "prompt_cache_key": ({"prompt_cache_key": "k"}, {"prompt_cache_key": "k"}),
    "prompt_cache_options": ({"prompt_cache_options": {"mode": "x"}}, {"prompt_cache_options": {"mode": "x"}}),
    "prompt_cache_retention": ({"prompt_cache_retention": "24h"}, {"prompt_cache_retention": "24h"}),
    "what changes nothing": (
        {
            "truncation": "disabled",
            "metadata": {"trace": "x"},
            "service_tier": "auto",
            "store": False,
            "background": False,
            "stream": False,
            "stream_options": {"include_obfuscation": False},
        },
        {},
    ),
    "other providers'": (
        {"top_k": 40.0, "chat_template_kwargs": {"enable_thinking": False}},
        {"top_k": 40, "chat_template_kwargs": {"enable_thinking": False}},
    ),
}
REFUSED: dict[str, Any] = {
    "store": True,
    "background": True,
    "previous_response_id": "resp_1",
    "conversation": "conv_1",
    "prompt": {"id": "pmpt_1"},
    "context_management": [{"type": "compaction"}],
    "max_tool_calls": 3,
    "moderation": {"model": "x"},
    "access_programs": {"cyber": "standard"},
    "background_options": {"completion_window": "soonest"},
    "image": {"context_compression": "auto"},
    "service_tier": "priority",
    "truncation": "auto",
    "whatever": 1,
    "messages": [{"role": "user", "content": "Hello"}],
    "stop": "\n",
    "n": 2,
}
WORDS: list[tuple[dict[str, Any], str, str]] = [
    ({"previous_response_id": "resp_1"}, "previous_response_id", "not stored here"),
    ({"conversation": {"id": "conv_1"}}, "conversation", "not stored here"),
    ({"metadata": {"conversation": "new"}}, "metadata", "completions can be"),
    ({"tools": [{"type": "web_search"}]}, "tools.0.type", "Only tools of type function are supported, not web_search"),
    ({"tools": [LOOK, {"type": "mcp", "server_label": "x"}]}, "tools.1.type", "not mcp"),
    ({"tools": [LOOK | {"defer_loading": True}]}, "tools.0.defer_loading", "does not support"),
    ({"tools": [LOOK | {"async": True}]}, "tools.0.async", "does not support"),
    ({"tools": [{"type": "function", "function": FUNCTION}]}, "tools.0.name", "required"),
    ({"tool_choice": {"type": "web_search_preview"}}, "tool_choice", "Only a function"),
    ({"tool_choice": {"type": "allowed_tools", "mode": "none", "tools": []}}, "tool_choice", "need a mode"),
    ({"text": {"format": {"type": "json_schema"}}}, "text.format", "needs its name and its schema"),
    ({"text": {"format": {"type": "grammar"}}}, "text.format", "json_schema"),
    ({"reasoning": {"mode": "pro"}}, "reasoning.mode", "standard"),
    ({"include": ["something.else"]}, "include.0", "This must be"),
    ({"truncation": "auto"}, "truncation", "disabled"),
    ({"temperature": 3}, "temperature", "This may be at most 2."),
    ({"max_output_tokens": 0}, "max_output_tokens", "This must be at least 1."),
]
NOT_IN_UTF8 = "\ud800"


@pytest.mark.parametrize("name", list(SENT))
def test_a_field_reaches_the_model(program: Program, module_provider: ScriptedProvider, name: str) -> None:
    given, expected = SENT[name]
    respond(program, **given)
    asked = sent(module_provider)
    assert {
        field: asked[field] for field in asked.keys() - {"messages", "model", "stream", "stream_options"}
    } == expected


def test_the_response_repeats_what_was_asked(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.always(reply("Hi"))
    response = respond(
        program,
        instructions="Be brief.",
        max_output_tokens=16,
        metadata={"trace": "x"},
        parallel_tool_calls=False,
        reasoning={"effort": "low", "summary": "detailed"},
        temperature=0.5,
        text={"format": FORM},
        tool_choice={"type": "function", "name": "look"},
        tools=[LOOK],
        top_p=0.9,
        user="ada",
    )
    assert response["instructions"] == "Be brief."
    assert response["max_output_tokens"] == 16
    assert response["metadata"] == {"trace": "x"}
    assert response["parallel_tool_calls"] is False
    assert response["reasoning"] == {"effort": "low", "summary": "detailed"}
    assert (response["temperature"], response["top_p"], response["user"]) == (0.5, 0.9, "ada")
    assert response["text"]["format"] == FORM
    assert response["tool_choice"] == {"type": "function", "name": "look"}
    assert response["tools"] == [LOOK]
    plain = respond(program)
    assert (plain["store"], plain["background"], plain["truncation"]) == (False, False, "disabled")
    assert (plain["tools"], plain["tool_choice"], plain["parallel_tool_calls"]) == ([], "auto", True)
    assert plain["previous_response_id"] is plain["error"] is plain["instructions"] is None


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_field_is_refused_by_its_name(program: Program, module_provider: ScriptedProvider, name: str) -> None:
    refused = program.post("/v1/responses", {"input": "Hello", name: REFUSED[name]})
    told = refused.json["error"]
    assert (refused.status, told["type"], told["param"], told["code"]) == (
        400,
        "invalid_request_error",
        name,
        "invalid",
    )
    assert name in told["message"]
    assert not module_provider.chats


@pytest.mark.parametrize(("body", "param", "words"), WORDS, ids=[param for _, param, _ in WORDS])
def test_what_is_refused_says_why(program: Program, body: dict[str, Any], param: str, words: str) -> None:
    refused = program.post("/v1/responses", {"input": "Hello"} | body)
    assert refused.status == 400
    assert refused.json["error"]["param"] == param
    assert words in refused.json["error"]["message"]


def test_a_header_for_a_conversation_is_refused(program: Program) -> None:
    refused = program.post("/v1/responses", {"input": "Hello"}, X_Conversation="new")
    assert (refused.status, refused.json["error"]["param"]) == (400, "X-Conversation")


def test_null_is_absent(program: Program, module_provider: ScriptedProvider) -> None:
    everything = {name for name in ResponseIn.model_fields if name != "input"} | {"top_k", "whatever"}
    respond(program, **dict.fromkeys(everything))
    assert sent(module_provider).keys() == {"messages", "model", "stream", "stream_options"}


def test_every_field_of_the_protocol_is_in_the_table() -> None:
    """docs/openai.md, the schema and the package's own list of fields say the same."""
    table: dict[str, str] = {}
    _, _, rest = (ROOT / "docs" / "openai.md").read_text().partition("## Fields of a response")
    for line in rest.partition("\n## ")[0].splitlines():
        if line.startswith("| `"):
            fields, becomes = (cell.strip() for cell in line.strip("|").split("|"))
            for field in fields.replace("`", "").split(", "):
                assert field not in table, field
                table[field] = becomes
    assert {*get_type_hints(ResponseCreateParamsBase), "stream"} <= table.keys()
    assert set(table) == {*ResponseIn.model_fields}
    for name, becomes in table.items():
        assert becomes.startswith(("passed on", "handled", "refused")), name
        assert becomes.startswith("refused") == (name in REFUSED and "handled" not in becomes), name


def test_include_may_name_all_that_the_protocol_knows() -> None:
    assert set(get_args(Includable)) == set(get_args(response_includable.ResponseIncludable))
    assert "reasoning" not in EXTRA_FIELDS


@pytest.mark.parametrize("wrong", [5, "x", [], {}, True, 1.5, [[]], {"type": 5}, NOT_IN_UTF8, [None]], ids=repr)
@pytest.mark.parametrize("field", sorted(ResponseIn.model_fields))
def test_a_wrong_type_breaks_nothing(program: Program, field: str, wrong: object) -> None:
    answer = program.post("/v1/responses", {"input": "Hello"} | {field: wrong})
    assert answer.status in {200, 400, 404}, answer.body
    if answer.status == 400:
        told = answer.json["error"]
        assert told["param"].split(".")[0] == field
        for jargon in ("Input should", "valid dictionary", "str_type", "parsing", "literal", "value_error"):
            assert jargon not in told["message"]


def test_what_is_no_json_is_not_passed_on(program: Program, module_provider: ScriptedProvider) -> None:
    nan = float("nan")
    for field, value in (
        ("instructions", NOT_IN_UTF8),
        ("user", NOT_IN_UTF8),
        ("metadata", {"a": NOT_IN_UTF8}),
        ("prompt_cache_options", {"a": nan}),
        ("tools", [LOOK | {"description": NOT_IN_UTF8}]),
        ("tools", [LOOK | {"parameters": {"a": nan}}]),
        ("text", {"format": FORM | {"schema": {"a": nan}}}),
        ("tool_choice", {"type": "function", "name": NOT_IN_UTF8}),
        ("reasoning", {"effort": NOT_IN_UTF8}),
        ("top_k", nan),
        ("input", NOT_IN_UTF8),
    ):
        refused = program.post("/v1/responses", {"input": "Hello", field: value})
        assert refused.status == 400, field
        assert refused.json["error"]["param"].startswith(field)
    assert not module_provider.chats


@pytest.mark.parametrize("depth", [200, 5_000, 100_000])
@pytest.mark.parametrize("field", ["input", "tools", "text", "metadata", "top_k", "nobody knows"])
def test_deep_nesting_breaks_nothing(program: Program, field: str, depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    for value in (nested, b'[{"type": "function", "name": "x", "parameters": {"x": %s}}]' % nested):
        body = b'{"input": "Hi", "%s": %s}' % (field.encode(), value)
        assert program.post("/v1/responses", body).status in {200, 400}
    assert json.dumps(respond(program))
