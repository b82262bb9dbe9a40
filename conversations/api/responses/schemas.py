"""Schemas of requests for responses, as OpenAI's clients send them."""

from typing import Any, Literal

from ninja import Field, Schema
from pydantic import ConfigDict, StrictBool, field_validator

from chatbot.web.api import Body
from conversations.api.completion_schemas import Count, Few, No, StreamOptionsIn, is_json
from conversations.api.fields import EXTRAS
from conversations.api.responses.values import Choice, Format, Function, Input, Metadata, Mode, Stored, Unknown
from conversations.models import MODEL_MAX_CHARS, TEMPERATURE_MAX

CHECKED = ("tools", "tool_choice", "text", "reasoning", "metadata", "prompt_cache_options")
"""Fields whose values inside are of any kind, as far as they can be written as JSON."""

LOGPROBS = "message.output_text.logprobs"
Includable = Literal[
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
]
"""What `include` may name; nearly all of it belongs to tools and inputs that responses here do not have."""

EXTRA_FIELDS = EXTRAS - {"reasoning"}
"""Fields of other providers that are passed on; `reasoning` is one of this protocol."""


class ToolIn(Body):
    """A function of the program that the model may call."""

    model_config = ConfigDict(extra="forbid")

    type: Function
    name: str = Field(min_length=1)
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: StrictBool | None = None
    output_schema: dict[str, Any] | None = Field(None, description="Not sent to the model.")
    allowed_callers: list[Literal["direct"]] | None = None
    defer_loading: Unknown = None
    run_async: Unknown = Field(None, alias="async")


class TextIn(Body):
    """What the text of the response is to be like."""

    model_config = ConfigDict(extra="forbid")

    format: Format = None
    verbosity: str | None = Field(None, max_length=50)


class ReasoningIn(Body):
    """How the model is to reason; its reasoning is shown whatever the summary is to be like."""

    model_config = ConfigDict(extra="forbid")

    effort: str | None = Field(None, max_length=50)
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: Literal["auto", "current_turn"] | None = None
    mode: Mode = None


def with_extras(described: dict[str, Any]) -> None:
    """Add the fields of other providers to the schema, and forbid further ones."""
    described["properties"] |= {name: {"description": "Passed to the provider."} for name in sorted(EXTRA_FIELDS)}
    described["additionalProperties"] = False
    described["example"] = {"model": "auto", "input": "Hello!"}


class ResponseIn(Body):
    """A request for a response. Null equals an absent field; no field is dropped silently."""

    model_config = ConfigDict(extra="allow", json_schema_extra=with_extras)

    input: Input = Field(description="A text, or what was said and called so far.")
    instructions: str | None = Field(None, description="What the system says before the input.")
    model: str | None = Field(
        None, max_length=MODEL_MAX_CHARS, description="One of `/v1/models`; `auto` is the default."
    )
    stream: StrictBool | None = None
    stream_options: StreamOptionsIn | None = None
    max_output_tokens: Count | None = None
    temperature: float | None = Field(None, strict=True, ge=0, le=TEMPERATURE_MAX)
    top_p: float | None = Field(None, strict=True, ge=0, le=1)
    top_logprobs: Few | None = None
    tools: list[ToolIn] | None = Field(None, description="Functions of the program.")
    tool_choice: Choice = None
    parallel_tool_calls: StrictBool | None = None
    text: TextIn | None = None
    reasoning: ReasoningIn | None = None
    include: list[Includable] | None = None
    truncation: Literal["disabled"] | None = Field(None, description="What is too long is refused.")
    metadata: Metadata = Field(None, description="Repeated in the response.")
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: str | None = None
    service_tier: Literal["auto", "default"] | None = None
    store: No = Field(None, description="Responses are not stored.")
    background: Unknown = None
    previous_response_id: Stored = None
    conversation: Stored = None
    prompt: Stored = None
    context_management: Unknown = None
    max_tool_calls: Unknown = None
    moderation: Unknown = None
    access_programs: Unknown = None
    background_options: Unknown = None
    image: Unknown = None

    @field_validator("instructions", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention")
    @classmethod
    def can_be_sent(cls, text: str | None) -> str | None:
        """Check that a text can be written in UTF-8. Raises ValueError."""
        if not is_json(text):
            raise ValueError("This is not valid text.")
        return text

    @property
    def further(self) -> dict[str, Any]:
        """The fields beside those of the protocol, without null values."""
        return {name: value for name, value in (self.model_extra or {}).items() if value is not None}

    @property
    def refused(self) -> list[tuple[str, str]]:
        """The fields that cannot be passed on, each with the reason."""
        further = self.further
        unknown = [name for name in further if name not in EXTRA_FIELDS]
        known = {name: getattr(self, name) for name in CHECKED}
        sent = {name: value for name, value in further.items() if name in EXTRA_FIELDS}
        return [(name, "This field is not supported: see docs/openai.md.") for name in unknown] + [
            (name, "This cannot be converted to JSON.")
            for name, value in (known | sent).items()
            if not is_json(plain(value))
        ]


def plain(value: object) -> object:
    """A value with its known objects as dictionaries."""
    if isinstance(value, list):
        return [vars(one) if isinstance(one, Body) else one for one in value]
    return vars(value) if isinstance(value, Body) else value


class IncompleteOut(Schema):
    """Why a response is incomplete."""

    reason: Literal["max_output_tokens", "content_filter"]


class InputDetailsOut(Schema):
    """Details of the tokens that were read."""

    cached_tokens: int
    cache_write_tokens: int


class OutputDetailsOut(Schema):
    """Details of the tokens that were written."""

    reasoning_tokens: int


class ResponseUsageOut(Schema):
    """Token counts as the provider reported them."""

    input_tokens: int
    input_tokens_details: InputDetailsOut
    output_tokens: int
    output_tokens_details: OutputDetailsOut
    total_tokens: int


class ResponseOut(Schema):
    """A response in OpenAI's format; its further fields repeat the request."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Literal["completed", "incomplete"]
    incomplete_details: IncompleteOut | None
    error: None
    model: str
    output: list[dict[str, Any]]
    store: Literal[False]
    usage: ResponseUsageOut | None
