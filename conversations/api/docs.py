"""The OpenAPI document as an HTML page, without scripts and other hosts."""

import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import get_script_prefix

from chatbot.web import problems


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API, as the page shows it."""

    method: str
    path: str
    name: str
    summary: str
    description: str
    fields: list[dict[str, Any]]
    """Parameters, each with `name`, `place`, `kind`, `required` and `description`."""
    body: str
    """Example of the request's body, or empty."""
    answer: str
    """Example of the response's body, or empty."""
    events: str
    """Example of its events, or empty."""
    statuses: list[int]
    """HTTP statuses of its errors, in order."""


def page(request: HttpRequest, document: dict[str, Any]) -> HttpResponse:
    """The page that shows the OpenAPI document."""
    groups: dict[str, list[Operation]] = {}
    for path, operations in document["paths"].items():
        for method, details in operations.items():
            groups.setdefault(details["tags"][0], []).append(operation(method, path, details, document))
    address = request.build_absolute_uri(get_script_prefix()).rstrip("/")
    context = {"groups": groups, "kinds": problems.kinds(), "address": address}
    return render(request, "api/docs.html", context)


def operation(method: str, path: str, details: dict[str, Any], document: dict[str, Any]) -> Operation:
    """An operation as the page shows it, from the document."""
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
    """JSON schema of a request's or response's body."""
    schema: dict[str, Any] = part.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def parameter(found: dict[str, Any]) -> dict[str, Any]:
    """A parameter of an operation, as the page shows it."""
    return {
        "name": found["name"],
        "place": found["in"],
        "kind": kind(found["schema"]),
        "required": found["required"],
        "description": found["schema"].get("description", ""),
    }


def body_fields(schema: dict[str, Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of a JSON body, as the page shows them."""
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
    """The type of a value, in a word or two."""
    if options := schema.get("anyOf"):
        return " or ".join(kind(option) for option in options if option.get("type") != "null")
    if "enum" in schema or "const" in schema:
        return " or ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
    named = schema.get("$ref", "").rpartition("/")[2]
    return str(schema.get("format") or schema.get("type") or named or "any")


def example(schema: dict[str, Any], document: dict[str, Any]) -> str:
    """Example of a body as JSON, or empty."""
    if schema.get("type") == "array":
        inner = resolve(schema["items"], document).get("example")
        return json.dumps([inner], indent=2) if inner else ""
    found = resolve(schema, document).get("example")
    return json.dumps(found, indent=2) if found else ""


def resolve(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, in place of a reference to it."""
    for option in schema.get("anyOf", ()):
        if "$ref" in option:
            return resolve(option, document)
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return found
