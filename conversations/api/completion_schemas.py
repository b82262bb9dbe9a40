"""What OpenAI's clients send."""

import json
from typing import Any, Literal

from django.conf import settings
from ninja import Field, Schema
from pydantic import ConfigDict, StrictBool, field_validator

from conversations.api.schemas import Body
from conversations.models import MODEL_MAX_CHARS, TEMPERATURE_MAX

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
"""What each of the roles is to the model."""


class PartIn(Body):
    """A part of a message: text."""

    type: Literal["text"]
    text: str


class SaidIn(Body):
    """A message."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[PartIn] | None = None

    @property
    def text(self) -> str:
        """Its text, whole."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class StreamOptionsIn(Body):
    """How to stream."""

    include_usage: StrictBool = False


class CompletionIn(Body):
    """A request for a chat completion; fields that are not here are left alone."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"model": "auto", "messages": [{"role": "user", "content": "Hello!"}]}}
    )

    messages: list[SaidIn] = Field(min_length=1, description="What was said.")
    model: str = Field("auto", max_length=MODEL_MAX_CHARS, description="One of `/v1/models`; `auto` is the default.")
    stream: StrictBool = False
    stream_options: StreamOptionsIn | None = None
    temperature: float | None = Field(None, strict=True, ge=0, le=TEMPERATURE_MAX)
    top_p: float | None = Field(None, strict=True, ge=0, le=1)
    max_tokens: int | None = Field(None, strict=True, ge=1)
    max_completion_tokens: int | None = Field(None, strict=True, ge=1)
    stop: str | list[str] | None = None
    seed: int | None = Field(None, strict=True)
    frequency_penalty: float | None = Field(None, strict=True, ge=-2, le=2)
    presence_penalty: float | None = Field(None, strict=True, ge=-2, le=2)
    reasoning_effort: str | None = Field(None, max_length=50)
    response_format: dict[str, Any] | None = None
    n: Literal[1] | None = None
    tools: list[Any] | None = Field(None, max_length=0, description="None can be given.")
    metadata: dict[str, str] | None = Field(
        None, description="`conversation`: `new`, or a key, to keep what is said as a conversation."
    )

    @field_validator("messages")
    @classmethod
    def can_be_asked(cls, messages: list[SaidIn]) -> list[SaidIn]:
        """A person's message is no longer here than on the page."""
        limit = settings.CHAT_MESSAGE_MAX_CHARS
        for message in messages:
            if message.role == "user" and len(message.text) > limit:
                raise ValueError(f"A message is too long: {limit:,} characters are allowed.")
            if any("\ud800" <= character <= "\udfff" for character in message.text):
                raise ValueError("A message is not valid text.")
        return messages

    @field_validator("stop", "reasoning_effort", "response_format")
    @classmethod
    def can_be_passed_on(cls, value: object) -> object:
        """What goes to the provider as it is has to be JSON."""
        try:
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError) as error:
            raise ValueError("This cannot be passed on as JSON.") from error
        return value

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with the count of tokens."""
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def options(self) -> dict[str, Any]:
        """What goes to the provider as it is."""
        names = {
            "top_p",
            "max_tokens",
            "max_completion_tokens",
            "stop",
            "seed",
            "frequency_penalty",
            "presence_penalty",
            "reasoning_effort",
            "response_format",
        }
        return self.model_dump(include=names, exclude_none=True)


class CompletionOut(Schema):
    """A chat completion, as OpenAI gives it."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: dict[str, int] | None = None


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
