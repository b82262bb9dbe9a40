"""The OpenAPI document as a page to read: no script, no other host."""

import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import get_script_prefix

from chatbot.web.problems import KINDS


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the API does."""

    method: str
    path: str
    name: str
    summary: str
    description: str
    fields: list[dict[str, Any]]
    """What it takes, each with `name`, `place`, `kind`, `required` and `description`."""
    body: str
    """An example of its body, or nothing."""
    answer: str
    """An example of its answer, or nothing."""
    events: str
    """An example of its events, or nothing."""
    statuses: list[int]
    """Those of its problems."""


def page(request: HttpRequest, document: dict[str, Any]) -> HttpResponse:
    """The page."""
    groups: dict[str, list[Operation]] = {}
    for path, operations in document["paths"].items():
        for method, details in operations.items():
            groups.setdefault(details["tags"][0], []).append(operation(method, path, details, document))
    context = {"groups": groups, "kinds": KINDS, "address": request.build_absolute_uri(get_script_prefix()).rstrip("/")}
    return render(request, "api/docs.html", context)


def operation(method: str, path: str, details: dict[str, Any], document: dict[str, Any]) -> Operation:
    """What the document tells of one operation."""
    schema = content(details.get("requestBody", {}))
    good = next(response for status, response in details["responses"].items() if int(status) < 400)
    return Operation(
        method=method.upper(),
        path=path,
        name=details["operationId"],
        summary=details["summary"],
        description=details.get("description", ""),
        fields=[parameter(found) for found in details["parameters"]] + body_fields(schema, document),
        body=example(schema, document),
        answer=example(content(good), document),
        events=good.get("content", {}).get("text/event-stream", {}).get("example", ""),
        statuses=sorted(int(status) for status in details["responses"] if int(status) >= 400),
    )


def content(part: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a body."""
    schema: dict[str, Any] = part.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def parameter(found: dict[str, Any]) -> dict[str, Any]:
    """One parameter."""
    return {
        "name": found["name"],
        "place": found["in"],
        "kind": kind(found["schema"]),
        "required": found["required"],
        "description": found["schema"].get("description", ""),
    }


def body_fields(schema: dict[str, Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of a JSON body."""
    resolved = resolve(schema, document)
    return [
        {
            "name": name,
            "place": "body",
            "kind": kind(field),
            "required": name in resolved.get("required", ()),
            "description": field.get("description", ""),
        }
        for name, field in resolved.get("properties", {}).items()
    ]


def kind(schema: dict[str, Any]) -> str:
    """What a value is, in a word or two."""
    if options := schema.get("anyOf"):
        return " or ".join(kind(option) for option in options if option.get("type") != "null")
    if "enum" in schema or "const" in schema:
        return " or ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
    named = schema.get("$ref", "").rpartition("/")[2]
    return str(schema.get("format") or schema.get("type") or named or "any")


def example(schema: dict[str, Any], document: dict[str, Any]) -> str:
    """An example of a body."""
    if schema.get("type") == "array":
        inner = resolve(schema["items"], document).get("example")
        return json.dumps([inner], indent=2) if inner else ""
    found = resolve(schema, document).get("example")
    return json.dumps(found, indent=2) if found else ""


def resolve(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, where another is only named."""
    for option in schema.get("anyOf", ()):
        if "$ref" in option:
            return resolve(option, document)
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return found
