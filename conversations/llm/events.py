"""The typed events of a model's reply."""

from dataclasses import dataclass
from typing import Any

CUT_REASONS = frozenset({"length", "max_length", "max_tokens", "max_output_tokens", "model_length"})
"""The words by which providers say that an answer ended at a limit of its length."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the reply's text, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """The next piece of what the model thinks before it answers, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class TextWasReasoning:
    """All text so far was reasoning: its end came, `</think>`, though its beginning had not been marked."""


@dataclass(frozen=True, slots=True)
class Extra:
    """What stands in the answer beside its text, as the provider sent it, for a program that asked for it."""

    name: str
    """`tool_calls` and `annotations`, each a list; `function_call` and `logprobs`, each an object. Or a piece of it."""
    value: Any


@dataclass(frozen=True, slots=True)
class Usage:
    """What the provider counted, in tokens, once, after the text; 0 for what it does not tell."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    """Of the prompt, those that the provider had read before."""
    reasoning_tokens: int = 0
    """Of the completion, those of the reasoning."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The last event. `reason` is the provider's word: `stop`, `length`, ..."""

    reason: str

    @property
    def is_cut(self) -> bool:
        """Whether the answer ended because it may be no longer."""
        return self.reason.lower() in CUT_REASONS


@dataclass(frozen=True, slots=True)
class Asked:
    """The first event when the caller named no model: the name of the one that answers."""

    model: str


Event = Asked | TextDelta | ReasoningDelta | TextWasReasoning | Extra | Usage | Finish
