"""Values of a request for a response, each validated in the words of the protocol."""

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from conversations.api.responses.described import CHOICE, FORMAT, INPUT, METADATA

STORES_NOTHING = "Responses are not stored here: send the whole input instead."
NOT_HERE = "This site does not support that."
NONE: dict[str, Any] = {"enum": [None, False]}

WORDS = ("none", "auto", "required")
"""Choices of tools that are words."""

METADATA_MOST, METADATA_KEY_MAX, METADATA_VALUE_MAX = 16, 64, 512


def never(sentence: str) -> BeforeValidator:
    """A validator that refuses a value with a sentence unless it is null or false."""

    def refuse(value: object) -> None:
        if value is not None and value is not False:
            raise ValueError(sentence)

    return BeforeValidator(refuse)


def items(value: object) -> object:
    """Validate an input: text, or a list of objects. Raises ValueError."""
    if not isinstance(value, str | list):
        raise ValueError("This must be text, or a list of items.")
    if value == []:
        raise ValueError("This needs at least one item.")
    return value


def pairs(value: object) -> object:
    """Validate metadata: up to 16 short texts by name. Raises ValueError."""
    if value is None:
        return value
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise ValueError("This must be an object with texts.")
    if "conversation" in value:
        raise ValueError("Responses are not stored in conversations: completions can be.")
    if len(value) > METADATA_MOST:
        raise ValueError(f"This may have at most {METADATA_MOST} entries.")
    if any(len(name) > METADATA_KEY_MAX or len(one) > METADATA_VALUE_MAX for name, one in value.items()):
        raise ValueError(f"Names may have {METADATA_KEY_MAX} characters, texts {METADATA_VALUE_MAX}.")
    return value


def function(kind: object) -> object:
    """Validate the type of a tool. Raises ValueError."""
    if kind != "function":
        named = f", not {kind[:50]}" if isinstance(kind, str) else ""
        raise ValueError(f"Only tools of type function are supported{named}: the program runs them itself.")
    return kind


def standard(mode: object) -> object:
    """Validate the mode of reasoning. Raises ValueError."""
    if mode not in (None, "standard"):
        raise ValueError("Only standard reasoning is supported.")
    return mode


def is_line(value: object) -> bool:
    """Whether a value is a text that is not empty."""
    return isinstance(value, str) and value != ""


def named(value: object) -> bool:
    """Whether a value names a function."""
    return isinstance(value, dict) and value.get("type") == "function" and is_line(value.get("name"))


def choice(value: object) -> object:
    """Validate a choice of tools: a word, a function, or some of them. Raises ValueError."""
    if value is None or value in WORDS or named(value):
        return value
    if not isinstance(value, dict):
        raise ValueError(f"This must be {', '.join(WORDS)}, or an object.")
    if value.get("type") != "allowed_tools":
        raise ValueError("Only a function with its name can be chosen, or allowed_tools.")
    allowed = value.get("tools")
    if value.get("mode") not in WORDS[1:] or not isinstance(allowed, list) or not all(map(named, allowed)):
        raise ValueError("Allowed tools need a mode, auto or required, and functions with their names.")
    return value


def form(value: object) -> object:
    """Validate the form of a text: free, JSON, or JSON of a schema. Raises ValueError."""
    if value is None:
        return value
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(value, dict) or kind not in ("text", "json_object", "json_schema"):
        raise ValueError("This must be an object of type text, json_object or json_schema.")
    if kind == "json_schema" and not (is_line(value.get("name")) and isinstance(value.get("schema"), dict)):
        raise ValueError("A format of type json_schema needs its name and its schema.")
    return value


Input = Annotated[Any, BeforeValidator(items), WithJsonSchema(INPUT)]
Metadata = Annotated[Any, BeforeValidator(pairs), WithJsonSchema(METADATA)]
Choice = Annotated[Any, BeforeValidator(choice), WithJsonSchema(CHOICE)]
Format = Annotated[Any, BeforeValidator(form), WithJsonSchema(FORMAT)]
Function = Annotated[Any, BeforeValidator(function), WithJsonSchema({"const": "function"})]
Stored = Annotated[Any, never(STORES_NOTHING), WithJsonSchema(NONE)]
Unknown = Annotated[Any, never(NOT_HERE), WithJsonSchema(NONE)]
Mode = Annotated[Any, BeforeValidator(standard), WithJsonSchema({"enum": [None, "standard"]})]
