"""Programs that people use, before the site as before OpenAI."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import openai
import pytest
from playwright.sync_api import Browser

from accounts import access_tokens
from accounts.models import User
from tests.browser.conftest import browser
from tests.clients.conftest import PROXY_KEY, SECONDS, Run
from tests.clients.install import PYTHON
from tests.kit.provider import ScriptedProvider, error, json_answer, reply, stream
from tests.kit.provider.script import Done, Finish, Raw, Usage
from tests.kit.server import ChatServer

__all__ = ["browser"]

pytestmark = pytest.mark.django_db(transaction=True)

CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": "sea"}'}}
CHUNK = {"choices": [{"index": 0, "delta": {"tool_calls": [CALL]}, "finish_reason": None}]}
TOOLS = stream(Raw(b"data: " + json.dumps(CHUNK).encode() + b"\n\n"), Finish("tool_calls"), Usage(), Done())
TOO_LONG = error(400, "Input is too long: 5000 tokens")


@pytest.fixture(autouse=True)
def answers(module_provider: ScriptedProvider, server: ChatServer) -> None:
    """What the model says to everybody."""
    module_provider.always(reply("Good day"))
    module_provider.when("script: tools", TOOLS)
    module_provider.embeddings(
        json_answer(
            {
                "object": "list",
                "model": "embedder",
                "data": [{"object": "embedding", "index": place, "embedding": [0.5, place]} for place in range(2)],
                "usage": {"prompt_tokens": 2, "total_tokens": 2},
            }
        )
    )


def test_litellm(run: Run, module_provider: ScriptedProvider) -> None:
    assert run("litellm_client.py", "plain") == {"whole": "Good day", "streamed": "Good day", "usage": 9}
    module_provider.always(TOOLS)
    assert run("litellm_client.py", "tools") == ["look", '{"at": "sea"}']
    asked = len(module_provider.chats)
    assert run("litellm_client.py", "errors", "401,404,quota,too-long") == {
        "401": "AuthenticationError",
        "404": "NotFoundError",
        "quota": "RateLimitError",
        "too-long": "ContextWindowExceededError",
    }
    assert len(module_provider.chats) - asked == 4
    module_provider.play(TOO_LONG, reply("The larger one"), TOO_LONG, reply("The larger one"))
    assert run("litellm_client.py", "fallback") == {"whole": "The larger one", "streamed": "The larger one"}


def test_langchain(run: Run) -> None:
    found = run("langchain_client.py")
    errors = found.pop("errors")
    assert found == {
        "whole": "Good day",
        "streamed": "Good day",
        "tokens": 9,
        "calls": [["look", {"at": "sea"}]],
        "vectors": [[0.5, 0.0], [0.5, 1.0]],
    }
    assert "ContextOverflowError" in errors["too-long"]
    assert "AuthenticationError" in errors["401"]
    assert "NotFoundError" in errors["404"]


def told_to_javascript(found: dict[str, object]) -> None:
    assert found == {
        "models": ["scripted"],
        "whole": "Good day",
        "streamed": "Good day",
        "tokens": 9,
        "call": ["look", '{"at": "sea"}'],
        "errors": {
            "401": "AuthenticationError 401 provider_key",
            "404": "NotFoundError 404 model_not_found",
            "429": "RateLimitError 429 rate_limit_exceeded",
            "quota": "RateLimitError 429 insufficient_quota",
            "too-long": "BadRequestError 400 context_length_exceeded",
        },
    }


def test_openai_in_node(run: Run, module_provider: ScriptedProvider) -> None:
    module_provider.when("script: 429", error(429, "Slow down", headers={"Retry-After": "0.01"}))
    told_to_javascript(run("node.mjs"))


def test_openai_in_a_page(
    browser: Browser, origin: str, user: User, module_provider: ScriptedProvider, transactional_db: None
) -> None:
    module_provider.when("script: 429", error(429, "Slow down", headers={"Retry-After": "0.01"}))
    token = access_tokens.make(user, name="A page")[1]
    with ChatServer(OPENAI_BASE_URL=module_provider.url, CORS_ALLOWED_ORIGINS=origin) as server:
        page = browser.new_page()
        page.goto(f"{origin}/page.html?base={server.url}/v1&key={token}")
        page.wait_for_function("window.found", timeout=SECONDS * 1_000)
        told_to_javascript(page.evaluate("window.found"))
        page.close()


def test_llm(address: dict[str, str], tmp_path: Path, module_provider: ScriptedProvider) -> None:
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: site\n  model_name: scripted\n  api_base: {address['BASE_URL']}\n  api_key_name: site\n"
    )
    (tmp_path / "keys.json").write_text(json.dumps({"site": address["KEY"]}))
    environment: dict[str, str] = os.environ | {"LLM_USER_PATH": str(tmp_path), "HOME": str(tmp_path)}

    def llm(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(PYTHON), "-m", "llm", "prompt", "-m", "site", *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL
        )

    assert llm("Hello").stdout == "Good day\n"
    assert llm("Hello", "--no-stream", "-o", "temperature", "0.5", "-o", "max_tokens", "16").stdout == "Good day\n"
    assert module_provider.chats[-1].json["max_tokens"] == 16
    asked = len(module_provider.chats)
    refused = llm("script: too-long")
    assert (refused.returncode, len(module_provider.chats)) == (1, asked + 1)
    assert "maximum context length" in refused.stderr


def test_litellm_as_the_sites_provider(user: User, proxy: str, module_provider: ScriptedProvider) -> None:
    """What the provider behind the proxy refuses is told as if it had been asked itself."""
    token = access_tokens.make(user, name="A program")[1]
    hello: Any = [{"role": "user", "content": "Hello"}]
    with (
        ChatServer(OPENAI_BASE_URL=proxy, OPENAI_API_KEY=PROXY_KEY, CHAT_MODELS="scripted") as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key=token, max_retries=0, timeout=60) as client,
    ):
        ask: Any = client.chat.completions.create
        for metadata in (None, {"conversation": "new"}):
            answer = ask(model="scripted", messages=hello, metadata=metadata)
            assert answer.choices[0].message.content == "Good day"
            chunks = list(ask(model="scripted", messages=hello, metadata=metadata, stream=True))
            assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Good day"
            assert chunks[-1].choices[0].finish_reason == "stop"
        tools: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
        called = ask(model="scripted", messages=[hello[0] | {"content": "script: tools"}], tools=tools).choices[0]
        assert called.message.tool_calls[0].function.arguments == '{"at": "sea"}'
        for name, kind in (
            ("too-long", openai.BadRequestError),
            ("401", openai.AuthenticationError),
            ("404", openai.NotFoundError),
            ("429", openai.RateLimitError),
        ):
            for streams in (False, True):
                with pytest.raises(kind):
                    ask(model="scripted", messages=[hello[0] | {"content": f"script: {name}"}], stream=streams)
