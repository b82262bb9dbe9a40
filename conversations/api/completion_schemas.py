"""What OpenAI's clients send for a chat completion, and what they get."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from django.conf import settings
from ninja import Field, Schema
from pydantic import BeforeValidator, ConfigDict, StrictBool, WithJsonSchema, field_validator

from conversations.api.fields import EXTRAS, PASSED_ON
from conversations.api.schemas import Body
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
"""What each of the roles is to the model."""


def whole_number(value: object) -> object:
    """`16.0` is 16."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, Field(strict=True), BeforeValidator(whole_number)]
Count = Annotated[int, Field(strict=True, ge=1), BeforeValidator(whole_number)]
Few = Annotated[int, Field(strict=True, ge=0, le=20), BeforeValidator(whole_number)]


def schema(*kinds: dict[str, Any]) -> WithJsonSchema:
    """What a value may be: one of these, or null."""
    return WithJsonSchema({"anyOf": [*kinds, {"type": "null"}]})


TEXT, OBJECT = {"type": "string"}, {"type": "object"}
PART = {
    "type": "object",
    "properties": {"type": {"const": "text"}, "text": TEXT},
    "required": ["type", "text"],
}
OBJECTS = {"type": "array", "items": OBJECT}


def said(content: object) -> object:
    """Text, or a list of parts that are text."""
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
    """Text, or a list of texts."""
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("This must be text, or a list of texts.")
    return value


def choice(value: object) -> object:
    """A word, or an object that names what is meant."""
    if value is not None and not isinstance(value, str | dict):
        raise ValueError("This must be text, or an object.")
    return value


def objects(value: object) -> object:
    """A list of objects."""
    if value is not None and not (isinstance(value, list) and all(isinstance(one, dict) for one in value)):
        raise ValueError("This must be a list of objects.")
    return value


def one(value: object) -> object:
    """One answer."""
    if value is not None and (isinstance(value, bool) or value != 1):
        raise ValueError("Only one answer is supported: this must be 1.")
    return value


def no(value: object) -> object:
    """False."""
    if value is not None and value is not False:
        raise ValueError("This must be false.")
    return value


def only_text(value: object) -> object:
    """Answers that are text."""
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


def _whole(value: Any) -> Any:
    """`16.0` as 16: JSON has one kind of numbers, servers have two. So also in a list."""
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class SaidIn(Body):
    """A message; further fields, such as `tool_calls` and `tool_call_id`, go to the provider as they are."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content = None

    @property
    def text(self) -> str:
        """Its text, whole."""
        if isinstance(self.content, list):
            return "".join(part[part["type"]] for part in self.content)
        return self.content or ""

    @property
    def more(self) -> dict[str, Any]:
        """Its further fields, without those that are null; the content too, where it is more than its text."""
        found = {name: value for name, value in (self.model_extra or {}).items() if value is not None}
        if isinstance(self.content, list) and any(part.keys() != {"type", "text"} for part in self.content):
            found["content"] = self.content
        elif self.content is None and found:
            found["content"] = None
        return found


class StreamOptionsIn(Body):
    """How to stream."""

    model_config = ConfigDict(extra="forbid")

    include_usage: StrictBool | None = None
    include_obfuscation: No = None


class MetadataIn(Body):
    """What the site is to know."""

    model_config = ConfigDict(extra="forbid")

    conversation: str | None = Field(None, description="`new`, or a key, to keep what is said as a conversation.")


def with_extras(described: dict[str, Any]) -> None:
    """Tell the fields of other providers, and that there are no more."""
    described["properties"] |= {name: {"description": "Passed to the provider."} for name in sorted(EXTRAS)}
    described["additionalProperties"] = False
    described["example"] = {"model": "auto", "messages": [{"role": "user", "content": "Hello!"}]}


class CompletionIn(Body):
    """A request for a chat completion. Null stands for a field that is not there; no field is dropped in silence."""

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
        """What counts as a person's message has a limit."""
        limit = settings.API_MESSAGE_MAX_CHARS
        for message in messages:
            if message.role == "user" and len(message.text) > limit:
                raise ValueError(f"A message is too long: {limit:,} characters are allowed.")
            if not is_json([message.content, message.model_extra]):
                raise ValueError("A message is not valid text.")
        return messages

    @property
    def conversation(self) -> str:
        """Where it is to be kept; empty for nowhere."""
        return (self.metadata and self.metadata.conversation) or ""

    @property
    def chat_messages(self) -> list[ChatMessage]:
        """The messages as the provider gets them."""
        return [ChatMessage(ROLES[message.role], message.text, message.more) for message in self.messages]

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with the count of tokens."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def options(self) -> dict[str, Any]:
        """What goes to the provider as it is."""
        extras = {name: _whole(value) for name, value in (self.model_extra or {}).items() if value is not None}
        known = self.model_dump(include=set(PASSED_ON), exclude_none=True)
        # No tools are none to choose from; some providers refuse an empty list.
        return {name: value for name, value in known.items() if value != []} | extras

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


def is_json(value: object) -> bool:
    """Whether the value can be written as JSON in UTF-8: half of a surrogate pair cannot, nor can infinity."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


class DetailsOut(Schema):
    """Of the tokens, some."""

    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class UsageOut(Schema):
    """What the provider counted."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: DetailsOut | None = None
    completion_tokens_details: DetailsOut | None = None


class CompletionOut(Schema):
    """A chat completion, as OpenAI gives it."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: UsageOut | None = None


class ModelOut(Schema):
    """A model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelsOut(Schema):
    """The models that a person may ask."""

    object: Literal["list"]
    data: list[ModelOut]


class DoorErrorOut(Schema):
    """An error as OpenAI's clients know it."""

    class Inner(Schema):
        """What is wrong."""

        message: str
        type: str
        param: str | None
        code: str

    error: Inner


def size(message: ChatMessage) -> str:
    """All that the message costs, as text."""
    return message.content + (json.dumps(message.more, ensure_ascii=False) if message.more else "")


def others(options: Mapping[str, Any]) -> str:
    """What else the model reads, as text: tools and forms."""
    read = {name: options[name] for name in ("tools", "functions", "response_format") if name in options}
    return json.dumps(read, ensure_ascii=False) if read else ""
