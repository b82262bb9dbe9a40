"""Programs that people use, with tools of their own, before the site as before OpenAI."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import SECONDS, Run
from tests.clients.install import PYTHON
from tests.kit.provider import Script, ScriptedProvider, Text, reply, stream
from tests.kit.provider.script import END, Close, Done, Finish, Raw, Reasoning, Usage
from tests.kit.provider.server import Request

pytestmark = pytest.mark.django_db(transaction=True)

CALLS = [["look", {"at": "sea"}], ["look", {"at": "sky"}]]
SAID = "I see the sea and the sky."
EVENTS = ["created", "in_progress", "output_item.added", "content_part.added", "output_text.delta"]
ENDING = ["output_text.done", "content_part.done", "output_item.done", "completed"]


def piece(place: int, text: str, **more: str) -> Raw:
    """A chunk with a piece of a call."""
    function = {"arguments": text} | ({"name": "look"} if more else {})
    call: dict[str, Any] = {"index": place, "function": function} | more
    return Raw(b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}).encode() + b"\n\n")


TWO_CALLS = stream(
    piece(0, "", id="call_a", type="function"),
    piece(0, '{"at": '),
    piece(0, '"sea"}'),
    piece(1, '{"at": "sky"}', id="call_b", type="function"),
    Finish("stop"),
    Usage(),
    Done(),
)


def answer(request: Request) -> Script:
    """What the model says to a request."""
    body = request.json
    results = [message["content"] for message in body["messages"] if message["role"] == "tool"]
    if results:
        return reply(f"I see {' and '.join(results)}.")
    if "tools" in body:
        return TWO_CALLS
    if "response_format" in body:
        return stream(Text('{"name": "sea", '), Text('"depth": 7}'), *END)
    match request.last_user_message:
        case "Think":
            return stream(Reasoning("Hm"), Text("So"), *END)
        case "Break":
            return stream(Text("Half an"), Close())
    return reply("Good day")


@pytest.fixture(autouse=True)
def model(module_provider: ScriptedProvider, server: object) -> ScriptedProvider:
    """The provider, whose model calls tools and reads their results."""
    module_provider.answer_requests(answer)
    return module_provider


@pytest.mark.parametrize("protocol", ["completions", "responses"])
def test_langchain(run: Run, protocol: str) -> None:
    found = run("langchain_tools.py", protocol)
    reasoning = found.pop("reasoning")
    a_round = {"calls": CALLS, "invalid": 0, "said": SAID}
    assert found == {"whole": a_round, "streamed": a_round, "place": ["sea", 7], "plain": "Good day"}
    if protocol == "responses":
        assert reasoning == ["reasoning", "text"]


def test_openai_in_node(run: Run) -> None:
    calls = [[name, json.dumps(arguments)] for name, arguments in CALLS]
    a_round = {"said": SAID, "calls": calls, "status": "completed"}
    assert run("openai_tools.mjs") == {
        "completions": {"said": SAID, "calls": calls},
        "whole": a_round,
        "streamed": a_round,
        "parsed": '{"name": "sea", "depth": 7}',
        "events": {"names": [f"response.{name}" for name in EVENTS + ENDING], "streamed": "Good day"},
        "refused": "BadRequestError 400 invalid previous_response_id",
        "broken": ["response.failed", "provider_broke_off"],
    }


def test_litellm(run: Run) -> None:
    assert run("litellm_responses.py") == {
        "whole": "Good day",
        "streamed": "Good day",
        "calls": [[name, json.dumps(arguments)] for name, arguments in CALLS],
    }


@pytest.mark.parametrize("protocol", ["completions", "responses"])
@pytest.mark.parametrize("streams", [True, False])
def test_llm(
    address: dict[str, str],
    tmp_path: Path,
    model: ScriptedProvider,
    protocol: str,
    streams: bool,  # noqa: FBT001
) -> None:
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: site\n  model_name: scripted\n  api_base: {address['BASE_URL']}\n  api_key_name: site\n"
        f"  supports_tools: true\n  supports_schema: true\n  responses: {json.dumps(protocol == 'responses')}\n"
    )
    (tmp_path / "keys.json").write_text(json.dumps({"site": address["KEY"]}))
    environment: dict[str, str] = os.environ | {"LLM_USER_PATH": str(tmp_path), "HOME": str(tmp_path)}

    def llm(*arguments: str) -> str:
        command = [str(PYTHON), "-m", "llm", "prompt", "-m", "site", *arguments, *([] if streams else ["--no-stream"])]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    look = 'def look(at: str) -> str:\n    "Look."\n    return "the " + at\n'
    assert llm("What is there?", "--functions", look).splitlines()[-1] == SAID
    assert json.loads(llm("Where?", "--schema", "name, depth int")) == {"name": "sea", "depth": 7}
    assert llm("Hello") == "Good day"
    assert [request.json["messages"][-1]["role"] for request in model.chats] == ["user", "tool", "user", "user"]
