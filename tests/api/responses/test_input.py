"""The input of a response, item by item, as the model gets it."""

from typing import Any

import pytest

from tests.api.program import Program
from tests.api.responses.kit import respond, sent
from tests.kit.provider import ScriptedProvider, reply

pytestmark = pytest.mark.django_db(transaction=True)

USER = {"role": "user", "content": "What is there?"}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "look", "arguments": "{}"}
OTHER = CALL | {"id": "fc_2", "call_id": "call_b"}
RESULT = {"type": "function_call_output", "call_id": "call_a", "output": "A cat."}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]}
SAID = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "I look.", "annotations": [], "logprobs": []}],
}


def asked(call: dict[str, Any]) -> dict[str, Any]:
    """A call as a completion has it."""
    function = {"name": call["name"], "arguments": call["arguments"]}
    return {"id": call["call_id"], "type": "function", "function": function}


def tool(key: str, content: str) -> dict[str, Any]:
    """A result as a completion has it."""
    return {"role": "tool", "tool_call_id": key, "content": content}


def model(content: str | None, *calls: dict[str, Any]) -> dict[str, Any]:
    """What the model said and called, as a completion has it."""
    return {"role": "assistant", "content": content, "tool_calls": [asked(call) for call in calls]}


INPUTS: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "text": ("Hello", [{"role": "user", "content": "Hello"}]),
    "all roles": (
        [
            {"role": "system", "content": "Be brief."},
            {
                "role": "developer",
                "content": [{"type": "input_text", "text": "Be "}, {"type": "input_text", "text": "kind."}],
            },
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
            {"role": "assistant", "content": "Hi"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
            USER,
        ],
        [
            {"role": "system", "content": "Be brief."},
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi"},
            {"role": "assistant", "content": "No."},
            USER,
        ],
    ),
    "a turn of the model's is one message": (
        [USER, THOUGHT, SAID, CALL, OTHER, RESULT, RESULT | {"call_id": "call_b"}],
        [USER, model("I look.", CALL, OTHER), tool("call_a", "A cat."), tool("call_b", "A cat.")],
    ),
    "calls one after another": (
        [USER, CALL, RESULT, THOUGHT, OTHER, RESULT | {"call_id": "call_b", "output": []}],
        [USER, model(None, CALL), tool("call_a", "A cat."), model(None, OTHER), tool("call_b", "")],
    ),
    "no text stands between a call and its result": (
        [USER, CALL, SAID, SAID, RESULT],
        [USER, model("I look.\n\nI look.", CALL), tool("call_a", "A cat.")],
    ),
    "a result in parts": (
        [
            USER,
            CALL,
            RESULT | {"output": [{"type": "input_text", "text": "A "}, {"type": "input_text", "text": "cat."}]},
        ],
        [USER, model(None, CALL), tool("call_a", "A cat.")],
    ),
}
NOT_A_MESSAGE: list[tuple[Any, str, str]] = [
    ([], "input", "at least one item"),
    ([THOUGHT], "input", "at least one message"),
    (5, "input", "text, or a list of items"),
    ([5], "input.0", "an object"),
    ([USER, {"id": "msg_1"}], "input.1", "send the item itself"),
    ([{"type": "item_reference", "id": "msg_1"}], "input.0", "send the item itself"),
    ([{"type": "web_search_call", "id": "ws_1"}], "input.0.type", "not web_search_call"),
    (
        [{"type": "custom_tool_call_output", "call_id": "x", "output": "y"}],
        "input.0.type",
        "not custom_tool_call_output",
    ),
    ([{"type": 5}], "input.0.type", "Only messages"),
    ([{"role": "nobody", "content": "x"}], "input.0.role", "This must be user"),
    ([{"role": 5, "content": "x"}], "input.0.role", "This must be text."),
    ([{"role": "user"}], "input.0.content", "This is required."),
    ([{"role": "user", "content": 5}], "input.0.content", "text, or a list of parts"),
    ([USER, {"role": "user", "content": ["x"]}], "input.1.content.0", "an object with a type"),
    (
        [{"role": "user", "content": [{"type": "input_image", "image_url": "data:x"}]}],
        "input.0.content.0",
        "not input_image",
    ),
    ([{"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}], "input.0.content.0", "not input_file"),
    ([{"role": "user", "content": [{"type": "input_text", "text": 5}]}], "input.0.content.0", "needs its text"),
    ([{"role": "user", "content": "x" * 100_001}], "input.0.content", "too long"),
    ("x" * 100_001, "input", "too long"),
    ([{"role": "user", "content": "\ud800"}], "input.0.content", "not valid text"),
    ([CALL | {"arguments": {}}], "input.0.arguments", "This must be text."),
    ([CALL | {"call_id": ""}], "input.0.call_id", "at least 1"),
    ([{"type": "function_call"}], "input.0.call_id", "This is required."),
    ([CALL | {"arguments": "\ud800"}], "input.0", "not valid text"),
    ([CALL, RESULT | {"call_id": None}], "input.1.call_id", "This must be text."),
    ([CALL, RESULT | {"output": [{"type": "input_image"}]}], "input.1.output.0", "not input_image"),
    ([CALL, RESULT | {"output": {"a": 1}}], "input.1.output", "text, or a list of parts"),
]


@pytest.mark.parametrize("kind", list(INPUTS))
def test_an_input_becomes_messages(program: Program, module_provider: ScriptedProvider, kind: str) -> None:
    given, expected = INPUTS[kind]
    module_provider.always(reply("Hi"))
    respond(program, input=given)
    assert sent(module_provider)["messages"] == expected


@pytest.mark.parametrize(("given", "param", "words"), NOT_A_MESSAGE, ids=[words for *_, words in NOT_A_MESSAGE])
def test_what_is_no_message_is_refused_by_its_place(
    program: Program, module_provider: ScriptedProvider, given: Any, param: str, words: str
) -> None:
    refused = program.post("/v1/responses", {"input": given})
    told = refused.json["error"]
    assert (refused.status, told["code"], told["param"]) == (400, "invalid", param)
    assert words in told["message"]
    assert len(refused.body) < 1_000
    assert not module_provider.chats


def test_what_a_provider_sent_beside_a_call_goes_back_to_it(
    program: Program, module_provider: ScriptedProvider
) -> None:
    beside = {"google": {"thought_signature": "s"}}
    respond(program, input=[USER, CALL | {"extra_content": beside, "parsed_arguments": {}}, RESULT])
    (called,) = sent(module_provider)["messages"][1]["tool_calls"]
    assert called == asked(CALL) | {"extra_content": beside}


def test_a_text_may_hold_any_character(program: Program, module_provider: ScriptedProvider) -> None:
    text = "a\0b\u2028c \U0001f600 <script>"
    respond(program, input=text)
    assert sent(module_provider)["messages"] == [{"role": "user", "content": text}]


def test_ten_thousand_items_are_read_at_once(program: Program, module_provider: ScriptedProvider) -> None:
    answer = program.post("/v1/responses", {"input": [{"role": "user", "content": "x"}] * 10_000})
    assert answer.json["error"]["code"] == "context_length_exceeded"
    answer = program.post("/v1/responses", {"input": [CALL] * 10_000})
    assert answer.json["error"]["code"] == "context_length_exceeded"
    answer = program.post("/v1/responses", {"input": [{"role": "nobody"}] * 10_000})
    assert (answer.status, len(answer.body) < 1_000) == (400, True)
    respond(program, input=[*[THOUGHT] * 10_000, USER])
    assert sent(module_provider)["messages"] == [USER]


def test_a_message_of_nothing_is_a_message(program: Program, module_provider: ScriptedProvider) -> None:
    respond(program, input="", instructions="")
    assert sent(module_provider)["messages"] == [{"role": "user", "content": ""}]
