"""Additions to the generated OpenAPI document: events, examples, limits."""

import json
from typing import Any

from django.conf import settings

from chatbot.web.api import EXAMPLE_ID
from chatbot.web.problems import DOOR
from conversations.api.schemas import EXAMPLE_CALL

EVENT_EXAMPLE = (
    f'event: message.started\nid: 0\ndata: {{"message_id": "{EXAMPLE_ID}"}}\n\n'
    'event: text.delta\nid: 6\ndata: {"text": "Hello!"}\n\n'
    f"event: tool.call\nid: 6\ndata: {json.dumps(EXAMPLE_CALL)}\n\n"
    f'event: message.completed\nid: 6\ndata: {{"response": "Hello!", "conversation_id": "{EXAMPLE_ID}", '
    f'"message_id": "{EXAMPLE_ID}", "status": "complete"}}\n\n'
)


def stream(description: str, example: str, **fields: Any) -> dict[str, Any]:
    """OpenAPI fields of an operation that can answer with events, each with these fields."""
    schema = {"type": "object", "description": description, "properties": fields, "required": ["data"]}
    content = {"text/event-stream": {"schema": schema, "example": example}}
    return {"responses": {200: {"content": content}}}


DATA = {"type": "string", "contentMediaType": "application/json"}
EVENTS = stream(
    "Server-sent events of a reply. `tool.call` has a tool call as `ToolCallOut` describes it whenever it has changed, "
    "perhaps with its `progress` in words; states that pass quickly may be left out. `message.waiting` has the fields "
    "of `ChatOut`, with the calls that need a decision. A stream that ends without `message.completed`, "
    "`message.waiting` or `error` is to be asked for again.",
    EVENT_EXAMPLE,
    event={"enum": ["message.started", "text.delta", "tool.call", "message.waiting", "message.completed", "error"]},
    id={"type": "string", "description": "The number of characters so far."},
    data=DATA,
)
CHUNKS = stream(
    "With `stream`: the chunks that OpenAI's clients know.",
    'data: {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": []}\n\ndata: [DONE]\n\n',
    data=DATA,
)

RESPONSE_EVENTS = stream(
    "With `stream`: the events that OpenAI's clients know.",
    'event: response.output_text.delta\ndata: {"type": "response.output_text.delta", "item_id": "msg_1", '
    '"output_index": 0, "content_index": 0, "delta": "Hello!", "logprobs": [], "sequence_number": 4}\n\n',
    event={"type": "string", "description": "The data's `type`."},
    data=DATA,
)


def openapi(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the additions that the library does not generate: type of problems, limit of a message."""
    message = document["components"]["schemas"]["ChatIn"]["properties"]["message"]
    message["maxLength"] = settings.API_MESSAGE_MAX_CHARS
    for path, operations in document["paths"].items():
        if path.startswith(DOOR):
            continue
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400 and (content := response.get("content", {}).pop("application/json", None)):
                    response["content"]["application/problem+json"] = content
    return document
