"""The tool-call stream of a real server: llama.cpp with the weights of the demo model."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from conversations.llm import service as llm
from conversations.llm.tool_calls import ToolCalls

ROOT = Path(__file__).resolve().parents[3]

ADD_TASK = {
    "type": "function",
    "function": {
        "name": "add_task",
        "description": "Add a task.",
        "parameters": {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
    },
}


@pytest.fixture
def llama() -> Iterator[str]:
    """The base URL of the server."""
    command = [sys.executable, "-m", "tests.support.llama"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.kill()


def asked(number: int, title: str) -> list[llm.ChatMessage]:
    """A question of a person and its answer, which is a call: so small a model has to be shown what is wanted."""
    function = {"name": "add_task", "arguments": json.dumps({"title": title})}
    call = {"id": f"call{number}", "type": "function", "function": function}
    return [
        llm.ChatMessage("user", f"Add {title}."),
        llm.ChatMessage("assistant", "", {"content": None, "tool_calls": [call]}),
    ]


async def test_the_call_of_a_real_server_is_read_from_its_stream(llama: str, settings: Settings) -> None:
    settings.OPENAI_BASE_URL = llama
    settings.CHAT_TIMEOUT_FIRST_TOKEN = 120.0
    calls, finish = ToolCalls(), ""
    events = llm.stream(
        [*asked(1, "bread"), *asked(2, "tea"), llm.ChatMessage("user", "Add milk.")],
        model="SmolLM2-135M-Instruct",
        temperature=0.0,
        options={
            "tools": [ADD_TASK],
            "tool_choice": "required",
            "max_tokens": 60,
            # It would play the tool itself.
            "logit_bias": [["response", False]],
        },
    )
    async for event in events:
        match event:
            case llm.Extra(name=name, value=value):
                calls.take(name, value)
            case llm.Finish(reason=reason):
                finish = reason
    await llm.aclose()
    (call,) = calls.whole()
    assert call["function"]["name"] == "add_task"
    assert json.loads(call["function"]["arguments"]) == {"title": "milk"}
    assert call["id"]
    assert finish == "tool_calls"
