"""The service module when something breaks: retries, time-outs, and the sentence of every failure."""

import asyncio
import json
import logging
from typing import Any

import pytest
from pytest_django import Settings

from chatbot.core.errors import UserFacingError
from conversations.llm.service import ChatMessage, Upstream
from tests.kit.provider import (
    Close,
    Done,
    Gate,
    Raw,
    Reset,
    Script,
    ScriptedProvider,
    Stall,
    Text,
    error,
    html,
    json_answer,
    reply,
    stream,
)
from tests.kit.provider import Finish as FinishStep
from tests.support.asking import failure, over, text

ANSWER = reply("It is Paris.")
SHORT = 0.15


@pytest.fixture(autouse=True)
def configured(settings: Settings, provider: ScriptedProvider) -> None:
    """The scripted provider is the site's provider; retries come almost at once."""
    settings.OPENAI_BASE_URL = provider.url
    settings.OPENAI_API_KEY = "sk-secret-key"
    settings.CHAT_MODELS = ["scripted"]
    settings.CHAT_RETRY_MAX_WAIT = 0.02


TRANSIENT = {
    "a server error": error(500, "It broke"),
    "an overload": error(529, "Overloaded"),
    "a rate limit": error(429, "Slow down"),
    "a rate limit with a wait": error(429, "Slow down", headers={"Retry-After": "0"}),
    "a rate limit with a wait in milliseconds": error(429, "Slow down", headers={"retry-after-ms": "5"}),
    "a request time-out": error(408, "Too slow"),
    "a conflict": error(409, "Busy"),
    "a reset": stream(before=(Reset(),)),
    "a hang-up": stream(before=(Close(),)),
    "a reset before the text": stream(Reset()),
    "an error inside the stream": stream(Raw(b'data: {"error":{"message":"Overloaded","code":503}}\n\n')),
}


@pytest.mark.parametrize("script", TRANSIENT.values(), ids=TRANSIENT.keys())
async def test_what_may_pass_is_tried_again_before_the_first_text(provider: ScriptedProvider, script: Script) -> None:
    provider.play(script, script, ANSWER)
    assert await text() == "It is Paris."
    assert len(provider.chats) == 3


@pytest.mark.parametrize("retries", [0, 2])
async def test_retries_are_bounded(provider: ScriptedProvider, settings: Settings, retries: int) -> None:
    settings.CHAT_RETRIES = retries
    provider.always(error(503, "Loading model"))
    _, problem = await failure()
    assert problem.code == "provider_unavailable"
    assert len(provider.chats) == 1 + retries


@pytest.mark.parametrize("script", [error(400, "No"), error(401, "No"), error(404, "No"), html(), stream(Done())])
async def test_what_will_not_pass_is_not_tried_again(provider: ScriptedProvider, script: Script) -> None:
    provider.always(script)
    await failure()
    assert len(provider.chats) == 1


@pytest.mark.parametrize("end", [(Reset(),), (Close(),), (), (Raw(b'data: {"choices":[{"in'), Close())])
async def test_what_breaks_after_the_first_text_is_never_tried_again(
    provider: ScriptedProvider, end: tuple[Any, ...]
) -> None:
    provider.play(stream(Text("It is "), Gate("text"), *end))
    task = asyncio.create_task(failure())
    assert await asyncio.to_thread(provider.gate("text").wait_reached)
    provider.gate("text").open()
    came, problem = await task
    assert came == "It is "
    assert problem.code == "provider_broke_off"
    assert len(provider.chats) == 1


async def test_a_long_wait_is_told_and_not_waited_for(provider: ScriptedProvider) -> None:
    provider.play(error(429, "Slow down", headers={"Retry-After": "45"}))
    _, problem = await failure()
    assert problem.code == "provider_rate_limited"
    assert problem.retry_after == 45
    assert "in about 45 seconds" in str(problem)
    assert len(provider.chats) == 1


@pytest.mark.parametrize("script", [stream(before=(Stall(),)), stream(Stall()), stream(Raw(b": ping\n\n"), Stall())])
async def test_a_first_text_that_does_not_come_times_out(
    provider: ScriptedProvider, settings: Settings, script: Script
) -> None:
    settings.CHAT_TIMEOUT_FIRST_TOKEN = SHORT
    provider.play(script)
    assert (await failure())[1].code == "provider_timeout"
    # On a busy machine the time is over before the request is there.
    for asked in provider.chats:
        assert (await over(asked)).disconnected


async def test_silence_after_some_text_times_out_and_keeps_it(provider: ScriptedProvider, settings: Settings) -> None:
    settings.CHAT_TIMEOUT_SILENCE = SHORT
    provider.play(stream(Text("It is "), Raw(b": ping\n\n"), Stall()))
    came, problem = await failure()
    assert (came, problem.code) == ("It is ", "provider_timeout")
    assert (await over(provider.chats[0])).disconnected


async def test_nobody_listening_is_unreachable(settings: Settings, closed_port: int) -> None:
    settings.OPENAI_BASE_URL = f"http://127.0.0.1:{closed_port}/v1"
    assert (await failure())[1].code == "provider_unreachable"


@pytest.mark.parametrize("address", ["http://no-such-host.invalid/v1", "http://127.0.0.1:99999/v1", "nonsense"])
async def test_a_wrong_address_is_unreachable(settings: Settings, address: str) -> None:
    settings.OPENAI_BASE_URL = address
    assert (await failure())[1].code == "provider_unreachable"


async def test_a_server_without_tls_is_unreachable_over_https(provider: ScriptedProvider, settings: Settings) -> None:
    settings.OPENAI_BASE_URL = provider.url.replace("http:", "https:")
    settings.CHAT_TIMEOUT_CONNECT = SHORT
    assert (await failure())[1].code == "provider_unreachable"


async def test_an_answer_that_is_not_http_is_not_the_protocol(settings: Settings) -> None:
    async def chatter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example.org ESMTP\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(chatter, "127.0.0.1") as server:
        settings.OPENAI_BASE_URL = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        assert (await failure())[1].code == "provider_protocol"


OPENAI = {"type": "invalid_request_error", "param": "messages"}
FAILURES: dict[str, tuple[int, Any, str]] = {
    "OpenAI, wrong key": (401, {"error": {"message": "Incorrect API key provided: sk-abc", **OPENAI}}, "provider_key"),
    "OpenAI, not allowed": (403, {"error": {"message": "Country not supported"}}, "provider_key"),
    "Gemini, wrong key": (400, [{"error": {"code": 400, "message": "API key not valid."}}], "provider_key"),
    "OpenAI, model": (404, {"error": {"message": "The model `x` does not exist"}}, "provider_model"),
    "OpenRouter, model": (400, {"error": {"message": "x is not a valid model ID", "code": 400}}, "provider_model"),
    "Ollama, model": (404, {"error": {"message": "model 'x' not found", "type": "api_error"}}, "provider_model"),
    "Mistral, model": (400, {"message": "Invalid model: x", "type": "invalid_model"}, "provider_model"),
    "OpenAI, quota": (429, {"error": {"message": "Quota", "code": "insufficient_quota"}}, "provider_quota"),
    "DeepSeek, quota": (402, {"error": {"message": "Insufficient Balance"}}, "provider_quota"),
    "Gemini, rate": (429, [{"error": {"message": "You exceeded your current quota"}}], "provider_rate_limited"),
    "OpenAI, context": (400, {"error": {"message": "Long", "code": "context_length_exceeded"}}, "context_too_long"),
    "vLLM, context": (
        400,
        {"object": "error", "message": "This model's maximum context length is 4096 tokens. However, you", "code": 400},
        "context_too_long",
    ),
    "newer vLLM, context": (
        400,
        {"error": {"message": "the model's context length is only 1024 tokens", "param": "input_tokens", "code": 400}},
        "context_too_long",
    ),
    "llama.cpp, context": (
        400,
        {"error": {"code": 400, "message": "request (5000 tokens)", "type": "exceed_context_size_error"}},
        "context_too_long",
    ),
    "older llama.cpp, context": (
        500,
        {"error": {"code": 500, "message": "the request exceeds the available context size", "type": "server_error"}},
        "context_too_long",
    ),
    "Ollama, context": (400, {"error": "the input length exceeds the context length"}, "context_too_long"),
    "Cohere, context": (
        400,
        {"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 9000."},
        "context_too_long",
    ),
    "Anthropic, context": (400, {"error": {"message": "prompt is too long: 210 > 200"}}, "context_too_long"),
    "Gemini, context": (
        400,
        [{"error": {"message": "The input token count (9) exceeds the maximum number of tokens allowed (8)."}}],
        "context_too_long",
    ),
    "a proxy, context": (413, "<html>Request Entity Too Large</html>", "context_too_long"),
    "Azure, filter": (400, {"error": {"message": "Filtered", "code": "content_filter"}}, "content_filter"),
    "OpenRouter, filter": (403, {"error": {"message": "Your input was flagged", "code": 403}}, "content_filter"),
    "FastAPI, refusal": (422, {"detail": [{"loc": ["body"], "msg": "bad"}]}, "provider_refused"),
    "anything else": (418, "I am a teapot", "provider_refused"),
    "a proxy, trouble": (502, "<html>Bad Gateway</html>", "provider_unavailable"),
    "llama.cpp, starting": (503, {"error": {"message": "Loading model", "code": 503}}, "provider_unavailable"),
}


@pytest.mark.parametrize(("status", "body", "code"), FAILURES.values(), ids=FAILURES.keys())
async def test_every_refusal_has_its_sentence(
    provider: ScriptedProvider, settings: Settings, status: int, body: object, code: str
) -> None:
    settings.CHAT_RETRIES = 0
    provider.play(json_answer(body, status=status))
    came, problem = await failure()
    assert (came, problem.code) == ("", code)
    assert isinstance(problem, UserFacingError)
    assert str(problem).endswith(".")
    assert "{" not in str(problem)
    assert f"HTTP {status}" in problem.detail


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (html(), "provider_protocol"),
        (stream(Raw(b"data: no JSON\n\n")), "provider_protocol"),
        (stream(Raw(b"data: [1]\n\n")), "provider_protocol"),
        (stream(Raw(b"OK")), "provider_protocol"),
        (stream(), "provider_protocol"),
        (stream(FinishStep(), Done()), "provider_protocol"),
        (json_answer({"ok": True}), "provider_protocol"),
        (json_answer({"error": {"message": "x", "code": "context_length_exceeded"}}), "context_too_long"),
        (stream(Raw(b'data: {"error":{"message":"Rate limit reached"}}\n\n')), "provider_rate_limited"),
        (stream(Raw(b'data: {"error":{"type":"invalid_request_error"}}\n\n')), "provider_refused"),
    ],
)
async def test_an_answer_that_cannot_be_read_is_an_error(
    provider: ScriptedProvider, settings: Settings, script: Script, code: str
) -> None:
    settings.CHAT_RETRIES = 0
    provider.play(script)
    assert (await failure())[1].code == code


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ((FinishStep("content_filter"), Done()), "content_filter"),
        ((FinishStep("error"), Done()), "provider_broke_off"),
        ((Raw(b'data: {"error":{"message":"Rate limit reached","code":429}}\n\n'),), "provider_rate_limited"),
        ((Raw(b'data: {"error":{"message":"It broke","type":"server_error"}}\n\n'),), "provider_broke_off"),
        ((Raw(b"data: no JSON\n\n"),), "provider_broke_off"),
    ],
)
async def test_an_error_in_mid_answer_keeps_the_text(
    provider: ScriptedProvider, end: tuple[Any, ...], code: str
) -> None:
    provider.play(stream(Text("It is "), *end))
    came, problem = await failure()
    assert (came, problem.code) == ("It is ", code)
    assert len(provider.chats) == 1


UPSTREAM = {
    "code as text": ({"error": {"message": "no", "type": "auth", "param": "None", "code": "401"}}, "provider_key"),
    "code as a fraction": ({"error": {"message": "no", "code": 401.0}}, "provider_key"),
    "rate as text": ({"error": {"message": "slow", "code": "429"}}, "provider_rate_limited"),
    "status as text": ({"error": {"message": "no", "status": "403"}}, "provider_key"),
    "status as a word": ({"error": {"message": "no", "status": "RESOURCE_EXHAUSTED"}}, "provider_rate_limited"),
    "type as a word": ({"error": {"message": "no", "type": "authentication_error"}}, "provider_key"),
    "beside the text": ({"error": "no", "code": "401"}, "provider_key"),
    "bad request as text": ({"error": {"message": "no", "code": "400"}}, "provider_refused"),
}


@pytest.mark.parametrize(("body", "code"), UPSTREAM.values(), ids=UPSTREAM.keys())
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_the_status_named_inside_an_answer_counts(
    provider: ScriptedProvider,
    settings: Settings,
    streamed: bool,  # noqa: FBT001 (a parameter of the test)
    body: dict[str, Any],
    code: str,
) -> None:
    settings.CHAT_RETRIES = 0
    provider.play(stream(Raw(b"data: " + json.dumps(body).encode() + b"\n\n")) if streamed else json_answer(body))
    _, problem = await failure()
    assert problem.code == code
    assert problem.retryable == (code == "provider_rate_limited")


async def test_a_gateway_that_answers_500_for_a_bad_request_is_not_asked_again(provider: ScriptedProvider) -> None:
    provider.always(json_answer({"error": {"message": "Unknown: top_k", "code": "400"}}, status=500))
    _, problem = await failure()
    assert (problem.code, len(provider.chats)) == ("provider_refused", 1)


async def test_what_the_provider_said_is_kept_for_programs(provider: ScriptedProvider, settings: Settings) -> None:
    settings.CHAT_RETRIES = 0
    said = {"message": "Slow down, sk-secret-key", "type": "tokens", "param": None, "code": "rate_limit_exceeded"}
    headers = {"Retry-After": "7", "x-ratelimit-remaining-tokens": "0", "Set-Cookie": "a=b", "X-Request-Id": "r1"}
    provider.play(json_answer({"error": said}, status=429, headers=headers))
    _, problem = await failure()
    assert problem.upstream == Upstream(
        status=429,
        type="tokens",
        code="rate_limit_exceeded",
        message="Slow down, […]",
        retry_after=7.0,
        headers={"retry-after": "7", "x-ratelimit-remaining-tokens": "0"},
        is_structured=True,
    )


async def test_what_the_provider_said_in_mid_answer_is_kept_too(provider: ScriptedProvider) -> None:
    provider.play(stream(Text("It is "), Raw(b'data: {"error":{"message":"It broke","code":"500"}}\n\n')))
    _, problem = await failure()
    assert problem.upstream
    assert (problem.upstream.status, problem.upstream.message) == (500, "It broke")


SECRET = "My grandmother's recipe needs three eggs and a little saffron from Kashmir."


async def test_the_detail_for_staff_has_neither_the_key_nor_what_was_said(provider: ScriptedProvider) -> None:
    said = f"Bad key sk-secret-key for input [{{'content': {SECRET!r}}}], near 'eggs and a little saffron'"
    provider.play(error(400, said + "x" * 5_000))
    _, problem = await failure([ChatMessage("user", SECRET)])
    assert len(problem.detail) <= 2_000
    assert problem.detail.startswith("HTTP 400: error · Bad key […] for input")
    assert not any(word in problem.detail for word in ("sk-", "secret", "grandmother", "saffron", "Kashmir"))
    assert not any(word in str(problem) for word in ("HTTP", "400", "Bad key"))


async def test_what_the_provider_repeats_as_json_is_kept_out_of_the_detail_too(provider: ScriptedProvider) -> None:
    said = "Бабушкин рецепт: три яйца и немного шафрана из Кашмира."
    provider.play(error(400, f"Bad input {json.dumps(said)}"))
    _, problem = await failure([ChatMessage("user", said)])
    assert problem.detail.endswith('Bad input "[…]"')


async def test_what_tools_were_called_with_is_kept_out_of_the_detail_too(provider: ScriptedProvider) -> None:
    arguments = json.dumps({"note": SECRET})
    call = {"id": "call_1", "type": "function", "function": {"name": "write", "arguments": arguments}}
    parts = [{"type": "text", "text": SECRET.swapcase()}]
    provider.play(error(400, f"Bad function call_1 {json.dumps(arguments)}, bad part {SECRET.swapcase()}"))
    _, problem = await failure(
        [ChatMessage("assistant", "", {"content": parts, "tool_calls": [call]}), ChatMessage("user", "Go on")]
    )
    assert not any(word in problem.detail.lower() for word in ("grandmother", "saffron", "kashmir"))
    assert "Bad function call_1" in problem.detail


async def test_a_short_message_is_kept_out_of_the_detail_too(provider: ScriptedProvider) -> None:
    provider.play(error(400, "Cannot answer 'hunter2' for password hunter22"))
    _, problem = await failure([ChatMessage("user", "hunter2")])
    assert problem.detail.endswith("Cannot answer '[…]' for password hunter22")


async def test_logs_name_the_failure_and_nothing_that_was_said(
    provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.play(error(500, f"It broke on {SECRET}"), ANSWER)
    await text([ChatMessage("user", SECRET)])
    assert "provider_unavailable" in caplog.text
    assert not any(word in caplog.text for word in ("grandmother", "Paris", "sk-secret"))
