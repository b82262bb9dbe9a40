"""What tests of responses share: scripts of the model's, and a response as its events tell it."""

import json
from typing import Any

from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.api.program import Program
from tests.kit.provider import Script, ScriptedProvider, stream
from tests.kit.provider.script import Done, Finish, Raw, Usage

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
LOOK: dict[str, Any] = {
    "type": "function",
    "name": "look",
    "description": "Look at something.",
    "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
    "strict": False,
}


def deltas(*given: dict[str, Any], finish: str = "tool_calls") -> Script:
    """An answer that consists of these deltas."""
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in given]
    steps = (Raw(b"data: " + json.dumps(chunk).encode() + b"\n\n") for chunk in chunks)
    return stream(*steps, Finish(finish), Usage(), Done())


def call(place: int, key: str, name: str | None, arguments: str) -> dict[str, Any]:
    """A delta with a piece of a call."""
    function: dict[str, Any] = {"arguments": arguments} | ({"name": name} if name else {})
    return {"tool_calls": [{"index": place, "id": key, "type": "function", "function": function}]}


def events(body: bytes) -> list[dict[str, Any]]:
    """The events of a stream, each as the protocol's types have it, numbered one by one."""
    found = []
    for block in body.decode().strip().split("\n\n"):
        if block.startswith(":"):
            continue
        name, _, data = block.partition("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        EVENT.validate_python(event)
        found.append(event)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


def streamed(program: Program, **fields: Any) -> list[dict[str, Any]]:
    """The events of a response."""
    answer = program.post("/v1/responses", {"input": "Hello"} | fields | {"stream": True})
    assert answer.status == 200, answer.body
    return events(answer.body)


def respond(program: Program, **fields: Any) -> dict[str, Any]:
    """A whole response, as the protocol's types have it."""
    answer = program.post("/v1/responses", {"input": "Hello"} | fields)
    assert answer.status == 200, answer.body
    body: dict[str, Any] = answer.json
    Response.model_validate(body)
    return body


def alike(response: dict[str, Any]) -> dict[str, Any]:
    """A response without what differs from one to the next: its keys and its time."""
    output = [
        {name: value for name, value in item.items() if name not in {"id", "call_id"}} for item in response["output"]
    ]
    left = {name: value for name, value in response.items() if name not in {"id", "created_at", "completed_at"}}
    return left | {"output": output}


def sent(provider: ScriptedProvider) -> dict[str, Any]:
    """What the model was asked last."""
    body: dict[str, Any] = provider.chats[-1].json
    return body
