"""Schemas of chat completions, as OpenAI's clients send and receive them."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from django.conf import settings
from ninja import Field, Schema
from pydantic import BeforeValidator, ConfigDict, StrictBool, WithJsonSchema, field_validator

from chatbot.web.api import Body
from conversations.api.fields import EXTRAS, PASSED_ON
from conversations.llm.service import ChatMessage
from conversations.models import MODEL_MAX_CHARS, TEMPERATURE_MAX

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "function",
}
"""Role as sent -> role as the model gets it."""


def whole_number(value: object) -> object:
    """A float with a whole value, such as `16.0`, as an integer; other values unchanged."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, Field(strict=True), BeforeValidator(whole_number)]
Count = Annotated[int, Field(strict=True, ge=1), BeforeValidator(whole_number)]
Few = Annotated[int, Field(strict=True, ge=0, le=20), BeforeValidator(whole_number)]


def schema(*kinds: dict[str, Any]) -> WithJsonSchema:
    """JSON schema of a value of one of these kinds, or null."""
    return WithJsonSchema({"anyOf": [*kinds, {"type": "null"}]})


TEXT, OBJECT = {"type": "string"}, {"type": "object"}
PART = {
    "type": "object",
    "properties": {"type": {"const": "text"}, "text": TEXT},
    "required": ["type", "text"],
}
OBJECTS = {"type": "array", "items": OBJECT}


def said(content: object) -> object:
    """Validate content: text, or a list of parts with text. Raises ValueError."""
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise ValueError("This must be text, or a list of parts.")
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str):
            raise ValueError("Each part must be an object with a type.")
        if kind not in {"text", "refusal"}:
            raise ValueError(f"Only text is supported, not {kind[:50]}.")
        if not isinstance(part.get(kind), str):
            raise ValueError(f"A part of type {kind} needs its {kind}.")
    return content


def words(value: object) -> object:
    """Validate text, or a list of texts. Raises ValueError."""
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("This must be text, or a list of texts.")
    return value


def choice(value: object) -> object:
    """Validate a word, or an object that names the choice. Raises ValueError."""
    if value is not None and not isinstance(value, str | dict):
        raise ValueError("This must be text, or an object.")
    return value


def objects(value: object) -> object:
    """Validate a list of objects. Raises ValueError."""
    if value is not None and not (isinstance(value, list) and all(isinstance(one, dict) for one in value)):
        raise ValueError("This must be a list of objects.")
    return value


def one(value: object) -> object:
    """Validate a number of answers, which must be 1. Raises ValueError."""
    if value is not None and (isinstance(value, bool) or value != 1):
        raise ValueError("Only one answer is supported: this must be 1.")
    return value


def no(value: object) -> object:
    """Validate a value that must be false. Raises ValueError."""
    if value is not None and value is not False:
        raise ValueError("This must be false.")
    return value


def only_text(value: object) -> object:
    """Validate modalities, which must be text only. Raises ValueError."""
    if value not in (None, ["text"]):
        raise ValueError("Only text answers are supported.")
    return value


Content = Annotated[Any, BeforeValidator(said), schema(TEXT, {"type": "array", "items": PART})]
Words = Annotated[Any, BeforeValidator(words), schema(TEXT, {"type": "array", "items": TEXT})]
Choice = Annotated[Any, BeforeValidator(choice), schema(TEXT, OBJECT)]
Objects = Annotated[Any, BeforeValidator(objects), schema(OBJECTS)]
One = Annotated[Any, BeforeValidator(one), schema({"const": 1})]
No = Annotated[Any, BeforeValidator(no), schema({"const": False})]
Modalities = Annotated[Any, BeforeValidator(only_text), schema({"const": ["text"]})]


def whole_numbers(value: Any) -> Any:
    """Floats with a whole value as integers, also in a list: JSON has one type of numbers, servers have two."""
    return [whole_number(item) for item in value] if isinstance(value, list) else whole_number(value)


class SaidIn(Body):
    """A message; further fields, such as `tool_calls` and `tool_call_id`, are passed to the provider unchanged."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content = None

    @property
    def text(self) -> str:
        """The message's text, with its parts joined."""
        if isinstance(self.content, list):
            return "".join(part[part["type"]] for part in self.content)
        return self.content or ""

    @property
    def more(self) -> dict[str, Any]:
        """Its further fields that are not null; also the content, where it is more than text."""
        found = {name: value for name, value in (self.model_extra or {}).items() if value is not None}
        if found.get("tool_calls") == []:
            # An empty list of calls means no calls; some providers refuse it.
            del found["tool_calls"]
        if isinstance(self.content, list) and any(part.keys() != {"type", "text"} for part in self.content):
            found["content"] = self.content
        elif self.content is None and found:
            found["content"] = None
        return found

    def check(self) -> None:
        """Check the limit of a person's messages. Raises ValueError."""
        limit = settings.API_MESSAGE_MAX_CHARS
        if self.role == "user" and len(self.text) > limit:
            raise ValueError(f"A message is too long: {limit:,} characters are allowed.")
        if not is_json([self.content, self.model_extra]):
            raise ValueError("A message is not valid text.")

    @property
    def as_sent(self) -> ChatMessage:
        """The message in the form that the provider gets."""
        return ChatMessage(ROLES[self.role], self.text, self.more)


class StreamOptionsIn(Body):
    """Options for a streamed completion."""

    model_config = ConfigDict(extra="forbid")

    include_usage: StrictBool | None = None
    include_obfuscation: No = None


class MetadataIn(Body):
    """Metadata that the site itself reads."""

    model_config = ConfigDict(extra="forbid")

    conversation: str | None = Field(None, description="`new`, or a key, to store the turn in a conversation.")


def with_extras(described: dict[str, Any]) -> None:
    """Add the fields of other providers to the schema, and forbid further ones."""
    described["properties"] |= {name: {"description": "Passed to the provider."} for name in sorted(EXTRAS)}
    described["additionalProperties"] = False
    described["example"] = {"model": "auto", "messages": [{"role": "user", "content": "Hello!"}]}


class CompletionIn(Body):
    """A request for a chat completion. Null equals an absent field; no field is dropped silently."""

    model_config = ConfigDict(extra="allow", json_schema_extra=with_extras)

    messages: list[SaidIn] = Field(min_length=1, description="What was said.")
    model: str | None = Field(
        None, max_length=MODEL_MAX_CHARS, description="One of `/v1/models`; `auto` is the default."
    )
    stream: StrictBool | None = None
    stream_options: StreamOptionsIn | None = None
    metadata: MetadataIn | None = None
    temperature: float | None = Field(None, strict=True, ge=0, le=TEMPERATURE_MAX)
    top_p: float | None = Field(None, strict=True, ge=0, le=1)
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    stop: Words = None
    seed: Whole | None = None
    frequency_penalty: float | None = Field(None, strict=True, ge=-2, le=2)
    presence_penalty: float | None = Field(None, strict=True, ge=-2, le=2)
    logit_bias: dict[str, Any] | None = None
    logprobs: StrictBool | None = None
    top_logprobs: Few | None = None
    reasoning_effort: str | None = Field(None, max_length=50)
    verbosity: str | None = Field(None, max_length=50)
    response_format: dict[str, Any] | None = None
    tools: Objects = None
    tool_choice: Choice = None
    parallel_tool_calls: StrictBool | None = None
    functions: Objects = None
    function_call: Choice = None
    prediction: dict[str, Any] | None = None
    web_search_options: dict[str, Any] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: str | None = None
    n: One = Field(None, description="Only one answer is supported.")
    modalities: Modalities = None
    audio: None = None
    moderation: None = None
    service_tier: Literal["auto", "default"] | None = None
    store: No = Field(None, description="See `conversation` in `metadata`.")

    @field_validator("messages")
    @classmethod
    def can_be_asked(cls, messages: list[SaidIn]) -> list[SaidIn]:
        """Check the limit of a person's messages. Raises ValueError."""
        for message in messages:
            message.check()
        return messages

    @property
    def conversation(self) -> str:
        """The conversation in which to store the turn, `new` for a new one; empty for none."""
        return (self.metadata and self.metadata.conversation) or ""

    @property
    def chat_messages(self) -> list[ChatMessage]:
        """The messages in the form that the provider gets."""
        return [message.as_sent for message in self.messages]

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the count of tokens."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def options(self) -> dict[str, Any]:
        """Options that are passed to the provider unchanged."""
        extras = {name: whole_numbers(value) for name, value in (self.model_extra or {}).items() if value is not None}
        known = self.model_dump(include=set(PASSED_ON), exclude_none=True)
        return without_empty_tools(known) | extras

    @property
    def refused(self) -> list[tuple[str, str]]:
        """The fields that cannot be passed on, each with the reason."""
        unknown = [name for name in self.options if name not in PASSED_ON | EXTRAS]
        found = [(name, "This field is not supported: see docs/openai.md.") for name in unknown]
        return found + [
            (name, "This cannot be converted to JSON.")
            for name, value in self.options.items()
            if name not in unknown and not is_json(value)
        ]


def without_empty_tools(options: dict[str, Any]) -> dict[str, Any]:
    """The options without empty lists, and without a choice among no tools: both mean nothing, but are refused."""
    found = {name: value for name, value in options.items() if value != []}
    if options.get("tools") == []:
        found.pop("parallel_tool_calls", None)
        if found.get("tool_choice") in ("auto", "none"):
            del found["tool_choice"]
    return found


def is_json(value: object) -> bool:
    """Whether the value can be written as JSON in UTF-8: lone surrogates and infinity cannot."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


class DetailsOut(Schema):
    """Details of token counts: cached or reasoning tokens."""

    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class UsageOut(Schema):
    """Token counts as the provider reported them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: DetailsOut | None = None
    completion_tokens_details: DetailsOut | None = None


class CompletionOut(Schema):
    """A chat completion in OpenAI's format."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: UsageOut | None = None


class ModelOut(Schema):
    """A model in OpenAI's format."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelsOut(Schema):
    """The models that a person may ask."""

    object: Literal["list"]
    data: list[ModelOut]


class DoorErrorOut(Schema):
    """An error in the format of OpenAI's clients."""

    class Inner(Schema):
        """The error's message, type, parameter and code."""

        message: str
        type: str
        param: str | None
        code: str

    error: Inner


def size(message: ChatMessage) -> str:
    """The message's content and further fields as text, to estimate its tokens."""
    return message.content + (json.dumps(message.more, ensure_ascii=False) if message.more else "")


def others(options: Mapping[str, Any]) -> str:
    """Options that the model reads, tools and response formats, as text."""
    read = {name: options[name] for name in ("tools", "functions", "response_format") if name in options}
    return json.dumps(read, ensure_ascii=False) if read else ""
