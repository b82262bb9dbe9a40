"""Parts of the OpenAPI document: values of a request for a response."""

from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
LINE: dict[str, Any] = {"type": "string", "minLength": 1}


def item(kind: dict[str, Any], *required: str, **properties: dict[str, Any]) -> dict[str, Any]:
    """JSON schema of an item of this kind with these properties."""
    return {"type": "object", "properties": {"type": kind} | properties, "required": list(required)}


def parts(*kinds: str) -> dict[str, Any]:
    """JSON schema of a text, or of a list of its parts."""
    part = item({"enum": list(kinds)}, "type", "text", text=TEXT)
    return {"anyOf": [TEXT, {"type": "array", "items": part}]}


MESSAGE = item(
    {"enum": ["message", None]},
    "role",
    "content",
    role={"enum": ["user", "assistant", "system", "developer"]},
    content=parts("input_text", "output_text", "text"),
)
CALL = item({"const": "function_call"}, "type", "call_id", "name", "arguments", call_id=LINE, name=LINE, arguments=TEXT)
OUTPUT = item(
    {"const": "function_call_output"},
    "type",
    "call_id",
    "output",
    call_id=LINE,
    output=parts("input_text", "output_text", "text"),
)
REASONING = item({"const": "reasoning"}, "type")

INPUT: dict[str, Any] = {
    "anyOf": [
        TEXT,
        {
            "type": "array",
            "items": {"anyOf": [MESSAGE, CALL, OUTPUT, REASONING]},
            "contains": {"anyOf": [MESSAGE, CALL, OUTPUT]},
        },
    ]
}
"""JSON schema of an input: text, or a list of items, of which one at least is no reasoning."""

METADATA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "maxProperties": 16,
            "propertyNames": {"maxLength": 64, "not": {"const": "conversation"}},
            "additionalProperties": {"type": "string", "maxLength": 512},
        },
        {"type": "null"},
    ]
}
"""JSON schema of metadata: up to 16 short texts by name."""

CHOICE: dict[str, Any] = {
    "anyOf": [
        {"enum": ["none", "auto", "required"]},
        item({"const": "function"}, "type", "name", name=LINE),
        {"type": "null"},
    ]
}
"""JSON schema of a choice of tools."""

FORMAT: dict[str, Any] = {
    "anyOf": [
        item({"enum": ["text", "json_object"]}, "type"),
        item({"const": "json_schema"}, "type", "name", "schema", name=LINE, schema={"type": "object"}),
        {"type": "null"},
    ]
}
"""JSON schema of the form of a text."""
