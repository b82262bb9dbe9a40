"""Typed events of a model's reply, in the order of the stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CUT_REASONS = frozenset({"length", "max_length", "max_tokens", "max_output_tokens", "model_length"})
"""Finish reasons by which providers say that an answer ended at a length limit."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the reply's text, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """The next piece of the model's reasoning, which precedes the answer; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class TextWasReasoning:
    """All text so far was reasoning: `</think>` came without a `<think>` before it."""


@dataclass(frozen=True, slots=True)
class Extra:
    """A field of the answer besides its text, as the provider sent it, for a program that asked for it."""

    name: str
    """`tool_calls` or `annotations`, each a list; `function_call` or `logprobs`, each an object; or a piece of one."""
    value: Any


@dataclass(frozen=True, slots=True)
class Returned:
    """Fields of an answer with tool calls that go back to the provider with the calls' results: its reasoning."""

    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts from the provider, sent once, after the text; 0 for counts that are missing."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    """Tokens of the prompt that the provider had in its cache."""
    reasoning_tokens: int = 0
    """Tokens of the completion that are reasoning."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The last event; `reason` is the provider's word: `stop`, `length` and others."""

    reason: str

    @property
    def is_cut(self) -> bool:
        """Whether the answer ended at a length limit."""
        return self.reason.lower() in CUT_REASONS


@dataclass(frozen=True, slots=True)
class Asked:
    """The first event when the caller named no model: the name of the model that answers."""

    model: str


Event = Asked | TextDelta | ReasoningDelta | TextWasReasoning | Extra | Returned | Usage | Finish
