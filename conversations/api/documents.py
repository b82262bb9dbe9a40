"""What the OpenAPI document tells beside the schemas: errors, events, examples."""

from typing import Any

from conversations.api.problems import DOOR
from conversations.api.schemas import EXAMPLE_ID, ProblemOut

EVENT_EXAMPLE = (
    f'event: message.started\nid: 0\ndata: {{"message_id": "{EXAMPLE_ID}"}}\n\n'
    'event: text.delta\nid: 6\ndata: {"text": "Hello!"}\n\n'
    f'event: message.completed\nid: 6\ndata: {{"response": "Hello!", "conversation_id": "{EXAMPLE_ID}", '
    f'"message_id": "{EXAMPLE_ID}", "status": "complete"}}\n\n'
)

EVENTS: dict[str, Any] = {
    "responses": {
        200: {
            "content": {
                "text/event-stream": {
                    "schema": {
                        "type": "string",
                        "description": "Server-sent events: `message.started`, `text.delta`, `tool.call`, "
                        "`message.completed`, `error`. Each id is the number of characters so far.",
                    },
                    "example": EVENT_EXAMPLE,
                }
            }
        }
    }
}
"""An operation that can answer with a reply's events."""

CHUNKS: dict[str, Any] = {
    "responses": {
        200: {
            "content": {
                "text/event-stream": {
                    "schema": {
                        "type": "string",
                        "description": "With `stream`: the chunks that OpenAI's clients know.",
                    },
                    "example": 'data: {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": []}\n\n'
                    "data: [DONE]\n\n",
                }
            }
        }
    }
}
"""An operation that can answer in chunks."""


def errors(*statuses: int) -> dict[int, Any]:
    """The problems with these statuses as responses of an operation."""
    return dict.fromkeys(statuses, ProblemOut)


def openapi(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what the library does not write: the type of problems."""
    for path, operations in document["paths"].items():
        if path.startswith(DOOR):
            continue
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400 and (content := response.get("content", {}).pop("application/json", None)):
                    response["content"]["application/problem+json"] = content
    return document
