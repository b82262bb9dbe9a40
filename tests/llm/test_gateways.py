"""The service module before servers that keep to the protocol in their own way."""

import json
from typing import Any

import pytest
from pytest_django import Settings

from conversations.llm import service as llm
from conversations.llm.service import Finish, LLMError, ReasoningDelta, TextDelta, TextWasReasoning, Usage
from tests.kit.provider import (
    END,
    Done,
    Raw,
    Reasoning,
    Script,
    ScriptedProvider,
    Split,
    Text,
    error,
    html,
    json_answer,
    reply,
    stream,
)
from tests.kit.provider import Finish as FinishStep
from tests.kit.provider.recorded import recorded
from tests.support.asking import QUESTION


@pytest.fixture(autouse=True)
def configured(settings: Settings, provider: ScriptedProvider) -> None:
    """The scripted provider is the site's provider; nothing is tried again."""
    settings.OPENAI_BASE_URL = provider.url
    settings.OPENAI_API_KEY = "sk-secret-key"
    settings.CHAT_MODELS = ["scripted"]
    settings.CHAT_RETRIES = 0


class Heard:
    """What a caller knows of an answer once it has ended."""

    def __init__(self) -> None:
        self.text = self.reasoning = ""
        self.end = ""
        """The finish reason, or the error's code."""
        self.usage: Usage | None = None


async def heard() -> Heard:
    """The answer to a question."""
    answer = Heard()
    try:
        async for event in llm.stream(QUESTION, model="scripted"):
            match event:
                case TextDelta(text=text):
                    answer.text += text
                case ReasoningDelta(text=text):
                    answer.reasoning += text
                case TextWasReasoning():
                    answer.reasoning, answer.text = answer.text, ""
                case Usage():
                    answer.usage = event
                case Finish(reason=reason):
                    answer.end = reason
    except LLMError as error:
        answer.end = error.code
    return answer


RECORDED = {
    "code-401-str": ("", "", "provider_key"),
    "cumulative-final": ("one two.", "", "stop"),
    "empty-data-late": ("Long answer goes on.", "", "stop"),
    "err-event-done": ("half ", "", "provider_broke_off"),
    "finish-length": ("cut of", "", "length"),
    "llamacpp-err-done": ("half an answer ", "", "provider_broke_off"),
    "think-and-reasoning": ("dup thought.", "same thought", "stop"),
    "usage-float": ("float usage.", "", "stop"),
}


@pytest.mark.parametrize(("name", "told"), RECORDED.items(), ids=RECORDED.keys())
async def test_recorded_answers_are_understood(
    provider: ScriptedProvider, name: str, told: tuple[str, str, str]
) -> None:
    provider.play(recorded(name))
    answer = await heard()
    assert (answer.text, answer.reasoning, answer.end) == told


async def test_tokens_are_counted_that_are_written_as_fractions(provider: ScriptedProvider) -> None:
    provider.play(recorded("usage-float"))
    assert (await heard()).usage == Usage(7, 5)


HALF = Text("Half an answer")
BROKEN_OFF = {
    "a field": b'error: {"code":500,"message":"context shift is disabled"}\n\n',
    "a field without JSON": b"error: out of memory\n\n",
    "a named event": b'event: error\ndata: {"message":"backend died","code":"internal"}\n\n',
    "a named event without JSON": b"event: error\ndata: backend died\n\n",
    "a named event that says nothing": b"event: error\ndata:\n\n",
    "a named event of another name": b'event: stream-error\ndata: {"why":"backend died"}\n\n',
    "an object that is an error": b'data: {"object":"error","message":"It died","type":"x","code":50001}\n\n',
    "a type that is an error": b'data: {"type":"error","message":"It died"}\n\n',
    "an error code": b'data: {"text":"NETWORK ERROR","error_code":50001}\n\n',
    "an error code as text": b'data: {"error_code":"18","error_msg":"qps limit"}\n\n',
    "a number and a message": b'data: {"code":"500","message":"It died"}\n\n',
    "a list of errors": b'data: {"errors":[{"message":"It died"}]}\n\n',
    "a detail": b'data: {"detail":"It died"}\n\n',
    "a base response": b'data: {"choices":null,"base_resp":{"status_code":1013,"status_msg":"It died"}}\n\n',
    "an error in a choice": b'data: {"choices":[{"index":0,"delta":{},"error":{"message":"It died","code":502}}]}\n\n',
    "an error in a list": b'data: [{"error":{"message":"It died","status":"INTERNAL"}}]\n\n',
    "no word of ours": "data: 错误\n\n".encode(),
    "an unknown object": b'data: {"outcome":"unknown"}\n\n',
}


@pytest.mark.parametrize("said", BROKEN_OFF.values(), ids=BROKEN_OFF.keys())
async def test_half_an_answer_is_never_taken_for_a_whole_one(provider: ScriptedProvider, said: bytes) -> None:
    provider.play(stream(HALF, Raw(said), Done()))
    answer = await heard()
    assert (answer.text, answer.end) == ("Half an answer", "provider_broke_off")


@pytest.mark.parametrize("said", BROKEN_OFF.values(), ids=BROKEN_OFF.keys())
async def test_an_error_before_the_first_word_is_one(provider: ScriptedProvider, said: bytes) -> None:
    provider.play(stream(Raw(said), Done()))
    assert (await heard()).end.startswith("provider_")


@pytest.mark.parametrize("reason", ["abort", "error", "insufficient_system_resource", "network_error", "Cancelled"])
async def test_an_answer_that_the_provider_gave_up_is_not_whole(provider: ScriptedProvider, reason: str) -> None:
    provider.play(stream(HALF, FinishStep(reason), Done()))
    assert (await heard()).end == "provider_broke_off"


@pytest.mark.parametrize("reason", ["SAFETY", "sensitive"])
async def test_a_filter_has_many_names(provider: ScriptedProvider, reason: str) -> None:
    provider.play(stream(HALF, FinishStep(reason), Done()))
    assert (await heard()).end == "content_filter"


@pytest.mark.parametrize(
    ("reason", "is_cut"),
    [("length", True), ("max_tokens", True), ("MAX_TOKENS", True), ("model_length", True), ("stop", False)],
)
async def test_a_limit_has_many_names(provider: ScriptedProvider, reason: str, *, is_cut: bool) -> None:
    provider.play(stream(HALF, FinishStep(reason), Done()))
    answer = await heard()
    assert (answer.end, Finish(answer.end).is_cut) == (reason, is_cut)


AWAKE = (
    b"data:\n\n",
    b"data: \n\n",
    b"data\n\n",
    b"data:\ndata:\n\n",
    b"\n\n",
    b":\n\n",
    b": data: x\n\n",
    b"event: ping\ndata: {}\n\n",
    b'event: ping\ndata: {"time":1}\n\n',
    b"event: keep-alive\ndata: x\n\n",
    b"event: heartbeat\n\n",
    b"data: ping\n\n",
    b"data: [KEEPALIVE]\n\n",
    b"data: null\n\n",
    b"data: {}\n\n",
    b'data: {"type":"ping"}\n\n',
    b"data: []\n\n",
    b"data: :\n\n",
    b"data: : OPENROUTER PROCESSING\n\n",
    b'event: status\ndata: {"type":"progress","status":"ok","message":"searching"}\n\n',
    b"id: 1\nretry: 10\nunknown: x\nnothing\n\n",
    b"data:\r\n\r\n",
    b"data:\r\r",
)


@pytest.mark.parametrize("kept", AWAKE)
async def test_what_keeps_a_connection_awake_is_passed_over(provider: ScriptedProvider, kept: bytes) -> None:
    provider.play(
        stream(Raw(kept), Text("Long answer "), Raw(kept), Text("goes on."), Raw(kept), FinishStep(), Done(), Raw(kept))
    )
    answer = await heard()
    assert (answer.text, answer.end) == ("Long answer goes on.", "stop")


async def test_nothing_follows_the_end(provider: ScriptedProvider) -> None:
    provider.play(stream(Text("All."), FinishStep(), Done(), Text(" And more."), Raw(b"data: no JSON\n\n")))
    answer = await heard()
    assert (answer.text, answer.end) == ("All.", "stop")


def chunk(**choice: Any) -> Raw:
    """A chunk with this choice."""
    return Raw(b"data: " + json.dumps({"choices": [{"index": 0, **choice}]}).encode() + b"\n\n")


WHOLE = {"role": "assistant", "content": "The whole answer.", "reasoning_content": "Hm."}
TWICE: dict[str, tuple[Any, ...]] = {
    "beside an empty delta": (
        Reasoning("Hm."),
        Text("The whole "),
        Text("answer."),
        chunk(delta={}, message=WHOLE, finish_reason="stop"),
    ),
    "without a delta": (Reasoning("Hm."), Text("The whole answer."), chunk(message=WHOLE, finish_reason="stop")),
    "beside an absent delta": (Reasoning("Hm."), Text("The whole answer."), chunk(delta=None, message=WHOLE), *END),
    "in the delta": (
        Reasoning("Hm."),
        Text("The whole "),
        Text("answer."),
        chunk(delta={"content": "The whole answer."}, finish_reason="stop"),
    ),
    "in a delta after the end": (
        Reasoning("Hm."),
        Text("The whole "),
        Text("answer."),
        FinishStep(),
        Text("The whole answer."),
    ),
    "alone": (chunk(delta={}, message=WHOLE, finish_reason="stop"),),
    "after a thought alone": (Reasoning("Hm."), chunk(delta={}, message=WHOLE, finish_reason="stop")),
}


@pytest.mark.parametrize("steps", TWICE.values(), ids=TWICE.keys())
async def test_a_message_that_comes_whole_at_the_end_is_told_once(
    provider: ScriptedProvider, steps: tuple[Any, ...]
) -> None:
    provider.play(stream(*steps, Done()))
    answer = await heard()
    assert (answer.text, answer.reasoning, answer.end) == ("The whole answer.", "Hm.", "stop")


REASONING: dict[str, tuple[tuple[Any, ...], str, str]] = {
    "in both, at once": (
        (chunk(delta={"content": "<think>Same</think>Yes", "reasoning_content": "Same"}),),
        "Same",
        "Yes",
    ),
    "in both, in pieces": (
        (
            chunk(delta={"content": "<think>The same", "reasoning_content": "The same"}),
            chunk(delta={"content": " thought", "reasoning_content": " thought"}),
            Text("</think>\n\nYes"),
        ),
        "The same thought",
        "Yes",
    ),
    "in both, tags first": (
        (Text("<think>Same</think>"), Reasoning("Same"), Text("Yes")),
        "Same",
        "Yes",
    ),
    "in two fields": ((chunk(delta={"reasoning": "Same", "reasoning_content": "Same"}), Text("Yes")), "Same", "Yes"),
    "a field and another thought": (
        (Reasoning("One."), Text("<think>Two.</think>Yes")),
        "One.Two.",
        "Yes",
    ),
    "in parts": (
        (
            chunk(delta={"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]}),
            chunk(delta={"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "m."}]}]}),
            chunk(delta={"content": [{"type": "text", "text": "Yes"}]}),
        ),
        "Hmm.",
        "Yes",
    ),
    "in parts of text": (
        (chunk(delta={"content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Yes"}]}),),
        "Hm.",
        "Yes",
    ),
    "in tags of another name": ((Text("<reasoning>Hm.</reasoning>"), Text("Yes")), "Hm.", "Yes"),
    "in details": (
        (chunk(delta={"reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]}), Text("Yes")),
        "Hm.",
        "Yes",
    ),
    "without its beginning": (
        (Text("Sky. "), Text("Rayleigh.\n"), Text("</thi"), Text("nk>\n\n"), Text("Blue.")),
        "Sky. Rayleigh.\n",
        "Blue.",
    ),
    "without its beginning, with a field too": ((Reasoning("Hm."), Text("a </think> b")), "Hm.", "a </think> b"),
}


@pytest.mark.parametrize(("steps", "reasoning", "text"), REASONING.values(), ids=REASONING.keys())
async def test_reasoning_is_told_once_wherever_it_comes(
    provider: ScriptedProvider, steps: tuple[Any, ...], reasoning: str, text: str
) -> None:
    provider.play(stream(*steps, *END))
    answer = await heard()
    assert (answer.text, answer.reasoning, answer.end) == (text, reasoning, "stop")


async def test_the_recorded_answers_may_come_in_packets_of_any_size(provider: ScriptedProvider) -> None:
    for name, told in RECORDED.items():
        script = recorded(name)
        (body,) = script.steps
        assert isinstance(body, Raw)
        cut = Split(body, tuple(range(5, len(body.data), 97)))
        provider.play(Script((cut,), content_type=script.content_type))
        answer = await heard()
        assert (answer.text, answer.reasoning, answer.end) == told


@pytest.mark.parametrize(
    "body",
    [
        {"object": "error", "message": "no", "code": 401},
        {"error_code": "401", "error_msg": "no"},
        {"code": "401", "message": "no"},
        {"code": "401.0", "message": "no"},
        [{"error": {"code": 401, "message": "no"}}],
    ],
)
async def test_an_error_with_status_200_is_one(provider: ScriptedProvider, body: object) -> None:
    provider.play(json_answer(body))
    assert (await heard()).end == "provider_key"


async def test_an_error_in_a_list_keeps_what_it_says(provider: ScriptedProvider) -> None:
    provider.play(stream(Raw(b'data: [{"error":{"message":"no","status":"UNAUTHENTICATED"}}]\n\n')))
    assert (await heard()).end == "provider_key"


@pytest.mark.parametrize("path", ["?api-version=2026-01-01", "/?api-version=2026-01-01", "/chat/completions"])
async def test_a_base_url_may_have_parameters(provider: ScriptedProvider, settings: Settings, path: str) -> None:
    settings.OPENAI_BASE_URL = provider.url + path
    assert (await heard()).end == "stop"
    (request,) = provider.requests
    address, _, query = request.path.partition("?")
    assert address == "/v1/chat/completions"
    assert query == path.partition("?")[2]
    assert request.headers.get("api-key") == ("sk-secret-key" if query else None)


WRONG_ADDRESS = {
    "FastAPI": json_answer({"detail": "Not Found"}, status=404),
    "OpenAI": json_answer({"error": {"message": "Invalid URL (POST /chat/completions)"}}, status=404),
    "Ollama": Script((Raw(b"404 page not found"),), status=404, content_type="text/plain"),
    "a web page": html(404),
    "llama.cpp": json_answer({"error": {"code": 404, "message": "File Not Found", "type": "not_found"}}, status=404),
    "a method": html(405),
}


@pytest.mark.parametrize("script", WRONG_ADDRESS.values(), ids=WRONG_ADDRESS.keys())
async def test_a_wrong_base_url_is_told_as_one(provider: ScriptedProvider, script: Script) -> None:
    provider.play(script)
    assert (await heard()).end == "provider_address"


NO_MODEL = {
    "OpenAI": {"error": {"message": "The model `scripted` does not exist", "code": "model_not_found"}},
    "Azure": {
        "error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist"}
    },
    "Gemini": {"error": {"code": 404, "message": "models/scripted is not found for API version v1beta"}},
    "OpenRouter": {"error": {"message": "No endpoints found for scripted.", "code": 404}},
    "Anthropic": {"type": "error", "error": {"type": "not_found_error", "message": "model: scripted"}},
    "vLLM": {"object": "error", "message": "The model `scripted` does not exist.", "code": 404},
    "by name": {"error": {"message": "scripted is unknown here"}},
}


@pytest.mark.parametrize("body", NO_MODEL.values(), ids=NO_MODEL.keys())
async def test_a_missing_model_is_told_as_one(provider: ScriptedProvider, body: object) -> None:
    provider.play(json_answer(body, status=404))
    assert (await heard()).end == "provider_model"


@pytest.mark.parametrize(
    "script", [html(403), Script((Raw(b"Access denied"),), status=403, content_type="text/plain"), html(407)]
)
async def test_a_firewalls_refusal_is_not_the_keys(provider: ScriptedProvider, script: Script) -> None:
    provider.play(script)
    assert (await heard()).end == "provider_blocked"


NO_INSTRUCTIONS = [
    "System role not supported",
    "Developer instruction is not enabled for models/gemma-3-27b-it",
    "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
    "Only user and assistant roles are supported!",
    "Conversation roles must alternate user/assistant/user/assistant/...",
    "Invalid role: system",
    "messages.0.role: Input should be 'user' or 'assistant'",
]


@pytest.mark.parametrize("message", NO_INSTRUCTIONS)
async def test_instructions_are_said_by_the_person_to_a_model_that_takes_none(
    provider: ScriptedProvider, settings: Settings, message: str
) -> None:
    # What was learned of a model holds for it alone.
    settings.CHAT_MODELS = [message]
    provider.play(error(400, message), reply("Paris."), reply("Paris."))
    for _ in range(2):
        events = [event async for event in llm.stream(QUESTION, model=message)]
        assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Paris."
    first, *others = (request.json["messages"] for request in provider.chats)
    assert [said["role"] for said in first] == ["system", "user"]
    assert others == [[{"role": "user", "content": "Be brief.\n\nWhat is the capital of France?"}]] * 2


async def test_a_refusal_that_this_does_not_cure_is_told(provider: ScriptedProvider) -> None:
    provider.always(error(400, "Conversation roles must alternate, always"))
    with pytest.raises(LLMError) as refused:
        _ = [event async for event in llm.stream(QUESTION, model="never pleased")]
    assert refused.value.code == "provider_instructions"
    assert len(provider.chats) == 2
