"""Failures at the door: OpenAI's client raises what it would raise there, and asks again only where that helps."""

from typing import Any

import openai
import pytest

from accounts.models import User
from conversations.models import Conversation, Generation
from tests.api.program import Program
from tests.kit.provider import Script, ScriptedProvider, Text, error, html, json_answer, stream
from tests.kit.provider.script import END, Gate, Raw
from tests.kit.server import ChatServer

pytestmark = pytest.mark.django_db(transaction=True)

HELLO = [{"role": "user", "content": "Hello"}]
TOO_LONG = "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens."
LIMITS = {"Retry-After": "7", "X-RateLimit-Remaining-Requests": "0", "X-RateLimit-Reset-Tokens": "6m0s"}

FAILURES: dict[str, tuple[Script, type[openai.APIStatusError], str, str | None]] = {
    "context": (
        error(400, TOO_LONG, code="context_length_exceeded"),
        openai.BadRequestError,
        "context_length_exceeded",
        "messages",
    ),
    "context, llama.cpp": (
        error(500, "the request exceeds the available context size, try to increase it"),
        openai.BadRequestError,
        "context_length_exceeded",
        "messages",
    ),
    "parameter": (
        json_answer(
            {
                "error": {
                    "message": "Unsupported parameter: 'max_tokens' is not supported with this model.",
                    "type": "invalid_request_error",
                    "param": "max_tokens",
                    "code": "unsupported_parameter",
                }
            },
            status=400,
        ),
        openai.BadRequestError,
        "unsupported_parameter",
        "max_tokens",
    ),
    "validation": (
        json_answer({"detail": [{"loc": ["body", "top_k"], "msg": "must be at least -1"}]}, status=422),
        openai.UnprocessableEntityError,
        "provider_refused",
        None,
    ),
    "filter": (
        error(400, "The prompt was filtered", code="content_filter"),
        openai.BadRequestError,
        "content_filter",
        None,
    ),
    "key": (
        error(401, "Incorrect API key provided", code="invalid_api_key"),
        openai.AuthenticationError,
        "provider_key",
        None,
    ),
    "forbidden": (error(403, "Project does not have access"), openai.PermissionDeniedError, "provider_key", None),
    "firewall": (html(403), openai.PermissionDeniedError, "provider_blocked", None),
    "model": (
        error(404, "The model `x` does not exist", code="model_not_found"),
        openai.NotFoundError,
        "model_not_found",
        "model",
    ),
    "address": (html(404), openai.NotFoundError, "provider_address", None),
    "no provider": (html(200), openai.InternalServerError, "provider_protocol", None),
    "more than a minute's tokens": (
        error(
            429,
            "Request too large for gpt-5 in organization org-1 on tokens per min (TPM): Limit 30000, Requested 52000.",
            code="rate_limit_exceeded",
        ),
        openai.BadRequestError,
        "context_length_exceeded",
        "messages",
    ),
    "quota": (
        error(429, "You exceeded your current quota", code="insufficient_quota"),
        openai.RateLimitError,
        "insufficient_quota",
        None,
    ),
}
KINDS = pytest.mark.parametrize("kind", list(FAILURES))
STREAMS = pytest.mark.parametrize("streams", [False, True])
KEPT = pytest.mark.parametrize("metadata", [None, {"conversation": "new"}], ids=["not kept", "kept"])


def ask(official: openai.OpenAI, **more: Any) -> Any:
    return official.chat.completions.create(**{"model": "auto", "messages": HELLO} | more)


@KINDS
@STREAMS
@KEPT
def test_a_permanent_refusal_is_what_it_would_be_at_openai(
    official: openai.OpenAI,
    module_provider: ScriptedProvider,
    kind: str,
    streams: bool,  # noqa: FBT001
    metadata: dict[str, str] | None,
) -> None:
    script, expected, code, param = FAILURES[kind]
    module_provider.always(script)
    with pytest.raises(expected) as refusal:
        ask(official.with_options(max_retries=2), stream=streams, metadata=metadata)
    assert (refusal.value.code, refusal.value.param) == (code, param)
    assert refusal.value.response.headers["x-should-retry"] == "false"
    assert len(module_provider.chats) == 1
    assert Generation.objects.count() == (1 if metadata else 0)
    body = refusal.value.body
    assert isinstance(body, dict)
    assert "saved" not in body["message"]
    assert "Incorrect API key" not in body["message"]
    if kind == "context":
        assert TOO_LONG in body["message"]
    if code == "context_length_exceeded":
        # Newer clients show nothing else, and programs look for it there.
        assert code in str(refusal.value)
        assert "This model's maximum context length is" in str(refusal.value)
    if kind == "parameter":
        assert "'max_tokens' is not supported with this model" in body["message"]
        assert body["type"] == "invalid_request_error"


@STREAMS
@KEPT
def test_a_providers_own_wait_and_limits_are_told(
    official: openai.OpenAI,
    module_provider: ScriptedProvider,
    streams: bool,  # noqa: FBT001
    metadata: dict[str, str] | None,
) -> None:
    module_provider.always(error(429, "Rate limit reached", code="rate_limit_exceeded", headers=LIMITS))
    with pytest.raises(openai.RateLimitError) as refusal:
        ask(official, stream=streams, metadata=metadata)
    assert refusal.value.code == "rate_limit_exceeded"
    headers = refusal.value.response.headers
    assert {name: headers.get(name) for name in LIMITS} == LIMITS
    # A kept turn is stored: who asks again would store it twice.
    assert headers.get("x-should-retry") == ("false" if metadata else None)
    assert len(module_provider.chats) == 1


def test_what_may_pass_is_asked_again_by_the_client(official: openai.OpenAI, module_provider: ScriptedProvider) -> None:
    module_provider.play(error(429, "Slow down", headers={"Retry-After": "0.01"}), error(503, "Overloaded"))
    module_provider.always(stream(Text("At last"), *END))
    assert ask(official.with_options(max_retries=2)).choices[0].message.content == "At last"
    assert len(module_provider.chats) == 3


def test_a_provider_that_forbids_to_ask_again_is_obeyed(
    official: openai.OpenAI, module_provider: ScriptedProvider
) -> None:
    module_provider.always(error(500, "down", headers={"X-Should-Retry": "false"}))
    with pytest.raises(openai.InternalServerError):
        ask(official.with_options(max_retries=2))
    assert len(module_provider.chats) == 1


@STREAMS
def test_more_than_the_site_lets_a_model_read_is_told_as_openai_tells_it(
    official: openai.OpenAI,
    module_provider: ScriptedProvider,
    streams: bool,  # noqa: FBT001
) -> None:
    long = [{"role": "system", "content": "word " * 100_000}, *HELLO]
    with pytest.raises(openai.BadRequestError) as refusal:
        ask(official, messages=long, stream=streams)
    assert refusal.value.code == "context_length_exceeded"
    assert "maximum context length is 32000 tokens" in refusal.value.message
    assert not module_provider.chats


def test_the_first_models_refusal_has_a_status_too(official: openai.OpenAI, module_provider: ScriptedProvider) -> None:
    """Whoever names no model is asked for one first: that is not yet an answer."""
    module_provider.models[:] = ["scripted", "other"]
    module_provider.always(error(400, TOO_LONG, code="context_length_exceeded"))
    for model in ("auto", "scripted"):
        with pytest.raises(openai.BadRequestError):
            ask(official, stream=True, model=model)
    module_provider.models[:] = ["scripted"]


def test_an_error_inside_a_stream_before_its_first_word_has_a_status(
    official: openai.OpenAI, module_provider: ScriptedProvider
) -> None:
    sent = b'data: {"error":{"message":"%s","code":"context_length_exceeded"}}\n\n' % TOO_LONG.encode()
    module_provider.always(stream(Raw(sent)))
    with pytest.raises(openai.BadRequestError):
        ask(official, stream=True)


@KEPT
def test_after_the_first_word_an_error_is_an_event(
    official: openai.OpenAI, module_provider: ScriptedProvider, metadata: dict[str, str] | None
) -> None:
    sent = b'data: {"error":{"message":"overloaded","code":529}}\n\n'
    module_provider.always(stream(Text("Half an"), Gate("half"), Raw(sent)))
    events = ask(official, stream=True, metadata=metadata)
    assert next(chunk for chunk in events if chunk.choices[0].delta.content)
    module_provider.gate("half").open()
    with pytest.raises(openai.APIError) as refusal:
        list(events)
    assert refusal.value.code == "provider_broke_off"


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({}, "messages", "messages: This is required."),
        ({"messages": "Hello"}, "messages", "messages: This must be a list."),
        ({"messages": [{"role": "nobody", "content": "x"}]}, "messages.0.role", None),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content", None),
        ({"messages": HELLO, "temperature": 3}, "temperature", "temperature: This may be at most 2."),
        ({"messages": HELLO, "temperature": "hot"}, "temperature", "temperature: This must be a number."),
        ({"messages": HELLO, "max_tokens": 1.5}, "max_tokens", "max_tokens: This must be a whole number."),
        ({"messages": HELLO, "stream": "yes"}, "stream", "stream: This must be true or false."),
        ({"messages": HELLO, "stop": 5}, "stop", "stop: This must be text, or a list of texts."),
    ],
)
def test_what_is_wrong_is_said_once_and_without_jargon(
    program: Program, body: dict[str, object], param: str, message: str | None
) -> None:
    refused = program.post("/v1/chat/completions", body)
    told = refused.json["error"]
    assert (refused.status, told["type"], told["param"]) == (400, "invalid_request_error", param)
    assert told["message"].count(param) == 1
    for jargon in ("Input should", "valid dictionary", "str_type", "parsing", "literal"):
        assert jargon not in told["message"]
    if message:
        assert told["message"] == message


def test_a_body_that_is_no_json_is_told(program: Program) -> None:
    refused = program.post("/v1/chat/completions", b"{")
    assert (refused.status, refused.json["error"]["message"]) == (400, "The body of the request is not valid JSON.")


def test_an_unknown_path_tells_what_there_is(program: Program) -> None:
    for path in ("/v1/responses/resp_1/cancel", "/v1/completions", "/v1/v1/chat/completions", "/v1/audio/speech"):
        refused = program.post(path, {})
        told = refused.json["error"]
        assert (refused.status, told["type"], told["param"], told["code"]) == (
            404,
            "invalid_request_error",
            None,
            "not_found",
        )
        assert f"POST {path}" in told["message"]
        for there in ("POST /v1/chat/completions", "POST /v1/responses", "POST /v1/embeddings", "GET /v1/models"):
            assert there in told["message"]
    refused = program.get("/v1/chat/completions")
    assert (refused.status, refused.json["error"]["message"]) == (405, "This address takes POST.")


@pytest.mark.parametrize("token", ["sk-something", "", "chat_x", "a.b.c"])
def test_a_token_that_is_none_is_told_without_jargon(server: ChatServer, user: User, token: str) -> None:
    refused = Program(server, user, token).post("/v1/chat/completions", {"messages": HELLO})
    assert refused.status == 401
    told = refused.json["error"]
    assert (told["type"], told["code"]) == ("authentication_error", "invalid_token")
    assert told["message"] == "The token is missing, invalid or expired, or it belongs to another user."


def test_a_kept_failure_leaves_the_turn_behind(official: openai.OpenAI, module_provider: ScriptedProvider) -> None:
    module_provider.always(error(400, TOO_LONG, code="context_length_exceeded"))
    with pytest.raises(openai.BadRequestError):
        ask(official, metadata={"conversation": "new"})
    assert Conversation.objects.get().messages.count() == 2


MANY = 10_000


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "nobody"}] * MANY},
        {"messages": HELLO} | {f"field_{number}": 1 for number in range(MANY)},
    ],
    ids=["messages", "fields"],
)
def test_of_thousands_of_errors_the_first_ones_are_told(program: Program, body: dict[str, object]) -> None:
    refused = program.post("/v1/chat/completions", body)
    assert refused.status == 400
    assert len(refused.body) < 10_000


@pytest.mark.parametrize("depth", [200, 5_000, 100_000])
@pytest.mark.parametrize("field", ["tools", "messages", "stop", "top_k", "response_format", "nobody knows"])
def test_deep_nesting_breaks_nothing(program: Program, field: str, depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    body = b'{"messages": [{"role": "user", "content": "Hi"}], "%s": [{"deep": %s}]}' % (field.encode(), nested)
    assert program.post("/v1/chat/completions", body).status in {200, 400}
