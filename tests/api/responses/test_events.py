"""A response, whole and as events: the events in the protocol's order, and at their end the same response."""

import json
from typing import Any

import pytest

from chatbot.web.problems import Problem
from conversations.api.responses.answer import ResponseAnswer
from conversations.api.responses.schemas import ResponseIn
from conversations.api.responses.translation import repeated
from tests.api.program import Program
from tests.api.responses.kit import LOOK, alike, call, deltas, events, respond, streamed
from tests.kit.provider import Script, ScriptedProvider, Text, stream
from tests.kit.provider.script import END, Done, Finish, Raw, Reasoning

pytestmark = pytest.mark.django_db(transaction=True)

BEGIN = ["created", "in_progress"]
MESSAGE = ["output_item.added", "content_part.added", "output_text.delta"]
SAID = ["output_text.done", "content_part.done", "output_item.done"]
THOUGHT = [
    "output_item.added",
    "reasoning_summary_part.added",
    "reasoning_summary_text.delta",
    "reasoning_summary_text.done",
    "reasoning_summary_part.done",
    "output_item.done",
]
CALL = ["output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"]

SCRIPTS: dict[str, tuple[Script, list[str]]] = {
    "text": (
        stream(Text("Good"), Text(" day"), *END),
        [*BEGIN, *MESSAGE, "output_text.delta", *SAID, "completed"],
    ),
    "reasoning, then text": (
        stream(Reasoning("Hm"), Text("Good day"), *END),
        [*BEGIN, *THOUGHT, *MESSAGE, *SAID, "completed"],
    ),
    "text, then two calls": (
        deltas({"content": "I look."}, call(0, "call_a", "look", '{"at": "sea"}'), call(1, "call_b", "look", "{}")),
        [*BEGIN, *MESSAGE, *SAID, *CALL, *CALL, "completed"],
    ),
    "calls in turns": (
        deltas(
            call(0, "call_a", "look", '{"at": '),
            call(1, "call_b", "look", '{"at": '),
            call(0, "call_a", None, '"sea"}'),
            call(1, "call_b", None, '"sky"}'),
        ),
        [
            *BEGIN,
            *CALL[:2],
            *CALL[:2],
            CALL[1],
            CALL[1],
            *CALL[2:],
            *CALL[2:],
            "completed",
        ],
    ),
    "a call without arguments": (
        deltas(call(0, "call_a", "look", ""), finish="stop"),
        [*BEGIN, *CALL, "completed"],
    ),
    "the old form of a call": (
        deltas({"function_call": {"name": "look", "arguments": "{}"}}, finish="function_call"),
        [*BEGIN, *CALL, "completed"],
    ),
    "text after a call": (
        deltas(call(0, "call_a", "look", "{}"), {"content": "I looked."}),
        [*BEGIN, *CALL, *MESSAGE, *SAID, "completed"],
    ),
    "text that was cut off": (
        stream(Text("Half an"), Finish("length"), Done()),
        [*BEGIN, *MESSAGE, *SAID, "incomplete"],
    ),
    "a call that was cut off": (
        deltas(call(0, "call_a", "look", '{"at": "s'), finish="length"),
        [*BEGIN, *CALL, "incomplete"],
    ),
    "text that was filtered": (
        stream(Text("Half an"), Finish("content_filter"), Done()),
        [*BEGIN, *MESSAGE, *SAID, "incomplete"],
    ),
    "sources": (
        deltas(
            {"content": "See there."},
            {
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {
                            "start_index": 0,
                            "end_index": 3,
                            "title": "There",
                            "url": "https://x.example",
                        },
                    }
                ]
            },
            finish="stop",
        ),
        [*BEGIN, *MESSAGE, "output_text.annotation.added", *SAID, "completed"],
    ),
}


@pytest.mark.parametrize("kind", list(SCRIPTS))
def test_the_events_are_those_of_the_protocol(program: Program, module_provider: ScriptedProvider, kind: str) -> None:
    script, expected = SCRIPTS[kind]
    module_provider.always(script)
    told = streamed(program, model="scripted", tools=[LOOK])
    assert [event["type"].removeprefix("response.") for event in told] == expected
    assert {event["item"]["id"] for event in told if "item" in event} == {
        item["id"] for item in told[-1]["response"]["output"]
    }
    whole = respond(program, model="scripted", tools=[LOOK])
    assert alike(whole) == alike(told[-1]["response"])
    done = [event["item"] for event in told if event["type"] == "response.output_item.done"]
    assert sorted(map(json.dumps, done)) == sorted(map(json.dumps, told[-1]["response"]["output"]))


def test_text_and_arguments_are_the_sum_of_their_deltas(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.always(SCRIPTS["calls in turns"][0])
    told = streamed(program, tools=[LOOK])
    output = told[-1]["response"]["output"]
    for place, item in enumerate(output):
        pieces = [event["delta"] for event in told if "delta" in event and event["output_index"] == place]
        assert "".join(pieces) == item["arguments"]
    assert [item["arguments"] for item in output] == ['{"at": "sea"}', '{"at": "sky"}']
    assert {(item["type"], item["status"], item["name"]) for item in output} == {("function_call", "completed", "look")}


def test_a_response_says_how_it_ended(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(*(SCRIPTS[kind][0] for kind in ("text", "text that was cut off", "text that was filtered")))
    ended = [respond(program) for _ in range(3)]
    assert [one["status"] for one in ended] == ["completed", "incomplete", "incomplete"]
    assert [one["incomplete_details"] for one in ended] == [
        None,
        {"reason": "max_output_tokens"},
        {"reason": "content_filter"},
    ]
    assert [one["output"][0]["status"] for one in ended] == ["completed", "incomplete", "incomplete"]
    assert [one["completed_at"] is None for one in ended] == [False, True, True]


@pytest.mark.parametrize("streams", [False, True])
def test_the_count_of_tokens_has_its_details(
    program: Program,
    module_provider: ScriptedProvider,
    streams: bool,  # noqa: FBT001
) -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 12},
    }
    counted = Raw(b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n")
    module_provider.always(stream(Text("Hi"), Finish(), counted, Done()))
    response = streamed(program)[-1]["response"] if streams else respond(program)
    assert response["usage"] == {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 0},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 12},
        "total_tokens": 120,
    }


def test_reasoning_is_told_as_a_summary(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.always(stream(Reasoning("Let me "), Reasoning("think."), Text("Forty-two"), *END))
    for response in (respond(program), streamed(program)[-1]["response"]):
        thought, said = response["output"]
        assert thought["summary"] == [{"type": "summary_text", "text": "Let me think."}]
        assert said["content"][0]["text"] == "Forty-two"


def test_reasoning_without_a_mark_at_its_beginning_is_told_from_the_text(
    program: Program, module_provider: ScriptedProvider
) -> None:
    module_provider.always(stream(Text("The sky?\n"), Text("</think>\n\nIt is"), Text(" blue."), *END))
    thought, said = respond(program)["output"]
    assert thought["summary"][0]["text"] == "The sky?\n"
    assert said["content"][0]["text"] == "It is blue."
    # What was streamed stands.
    told = streamed(program)[-1]["response"]["output"]
    assert told[0]["content"][0]["text"].startswith("The sky?")


def test_probabilities_come_back(program: Program, module_provider: ScriptedProvider) -> None:
    def with_logprobs(token: str) -> Raw:
        other = {"token": "x", "logprob": -2.5, "bytes": None}
        probability = {"content": [{"token": token, "logprob": -0.5, "bytes": None, "top_logprobs": [other]}]}
        choice = {"index": 0, "delta": {"content": token}, "logprobs": probability, "finish_reason": None}
        return Raw(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")

    module_provider.always(stream(with_logprobs("One"), with_logprobs(" two"), *END))
    for response in (respond(program, top_logprobs=1), streamed(program, top_logprobs=1)[-1]["response"]):
        probabilities: list[dict[str, Any]] = response["output"][0]["content"][0]["logprobs"]
        assert [(one["token"], one["logprob"], one["bytes"]) for one in probabilities] == [
            ("One", -0.5, [79, 110, 101]),
            (" two", -0.5, [32, 116, 119, 111]),
        ]
        assert probabilities[0]["top_logprobs"][0]["logprob"] == -2.5


def test_nothing_is_silent_about_a_model_that_named_itself(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.always(SCRIPTS["text"][0])
    assert respond(program)["model"] == "scripted"
    assert {event["response"]["model"] for event in streamed(program) if "response" in event} == {"scripted"}


def told(problem: Problem) -> list[dict[str, Any]]:
    """The events of a response that failed before it began, but after its status was sent."""
    body = ResponseIn.model_validate({"input": "Hello"})
    return events(ResponseAnswer("scripted", repeated(body)).failed(problem))


@pytest.mark.parametrize(
    ("code", "theirs"),
    [
        ("context_too_long", "invalid_prompt"),
        ("provider_rate_limited", "rate_limit_exceeded"),
        ("interrupted", "server_error"),
        ("internal", "server_error"),
    ],
)
def test_a_response_that_failed_before_it_began_begins_first(code: str, theirs: str) -> None:
    *begun, failed, error = told(Problem(code))
    assert [event["type"] for event in begun] == ["response.created", "response.in_progress"]
    response = failed["response"]
    assert (failed["type"], response["status"], response["output"]) == ("response.failed", "failed", [])
    assert response["id"] == begun[0]["response"]["id"]
    assert response["error"]["code"] == theirs
    assert (error["type"], error["message"]) == ("error", response["error"]["message"])
    assert error["error"] == Problem(code).at_door.body["error"]


def test_fields_beside_a_call_do_not_replace_its_own(program: Program, module_provider: ScriptedProvider) -> None:
    piece = call(0, "call_a", "look", "{}")
    beside = {"extra_content": {"a": 1}, "status": "x", "call_id": "x", "name": "x", "arguments": "x"}
    piece["tool_calls"][0] |= beside
    module_provider.always(deltas(piece))
    (item,) = respond(program, tools=[LOOK])["output"]
    assert (item["call_id"], item["name"], item["arguments"], item["status"]) == ("call_a", "look", "{}", "completed")
    assert item["extra_content"] == {"a": 1}
