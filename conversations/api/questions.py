"""What a program asks the model, whichever address it came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conversations.api.completion_schemas import others, size
from conversations.llm.service import ChatMessage


@dataclass(frozen=True, slots=True)
class Question:
    """What a program asks the model, with the form in which it is answered."""

    messages: list[ChatMessage]
    options: Mapping[str, Any]
    """Further fields for the provider."""
    model: str
    """The model to ask, as `llm.stream` takes it."""
    temperature: float | None
    streams: bool
    """Whether the answer comes as events while it is made."""

    def read(self, options: Mapping[str, Any]) -> list[ChatMessage]:
        """All that the model reads, with these options, as messages whose tokens can be estimated."""
        messages = [ChatMessage(message.role, size(message)) for message in self.messages]
        more = others(options)
        return [*messages, ChatMessage("system", more)] if more else messages
