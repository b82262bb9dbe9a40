"""The items of a response, each with the events that tell of it while it is made."""

from abc import ABC, abstractmethod
from typing import Any
from uuid import uuid4

from conversations.llm.pieces import Pieces
from conversations.llm.tool_calls import ToolCall

Event = dict[str, Any]
"""An event without its number; `type` is its name."""

IN_PROGRESS, COMPLETED, INCOMPLETE = "in_progress", "completed", "incomplete"


class Item(ABC):
    """One item of the output, at a place of its own."""

    prefix = ""

    def __init__(self, place: int) -> None:
        self.id = f"{self.prefix}_{uuid4().hex}"
        self.place = place
        self.status = IN_PROGRESS
        self.text = Pieces()
        self.done: dict[str, Any] = {}
        """The item as it ended, which is how the response repeats it; empty until then."""

    @property
    def is_open(self) -> bool:
        """Whether more of it may come."""
        return self.status == IN_PROGRESS

    @abstractmethod
    def fields(self) -> dict[str, Any]:
        """The item as JSON fields."""

    def opening(self) -> list[Event]:
        """The events with which it begins."""
        return [{"type": "response.output_item.added", "output_index": self.place, "item": self.fields()}]

    @abstractmethod
    def add(self, text: str) -> list[Event]:
        """Add text; returns the events that tell of it."""

    @abstractmethod
    def closing(self) -> list[Event]:
        """The events with which it ends, before the one that has it whole."""

    def close(self, status: str) -> list[Event]:
        """End it with this status; returns the events with which it ends."""
        self.status = status
        self.done = self.fields()
        done = {"type": "response.output_item.done", "output_index": self.place, "item": self.done}
        return [*self.closing(), done]

    def event(self, name: str, /, **fields: Any) -> Event:
        """An event about this item."""
        return {"type": f"response.{name}", "item_id": self.id, "output_index": self.place} | fields


class Reasoning(Item):
    """An item with what the model thought, told as a summary, which is what programs show."""

    prefix = "rs"

    def fields(self) -> dict[str, Any]:
        """The item as JSON fields."""
        summary = [self._part()] if self.text else []
        return {"id": self.id, "type": "reasoning", "summary": summary, "status": self.status}

    def opening(self) -> list[Event]:
        """The events with which it begins."""
        part = self.event("reasoning_summary_part.added", summary_index=0, part=self._part())
        return [*super().opening(), part]

    def add(self, text: str) -> list[Event]:
        """Add text; returns the event that tells of it."""
        self.text.add(text)
        return [self.event("reasoning_summary_text.delta", summary_index=0, delta=text)]

    def closing(self) -> list[Event]:
        """The events with which it ends, before the one that has it whole."""
        return [
            self.event("reasoning_summary_text.done", summary_index=0, text=str(self.text)),
            self.event("reasoning_summary_part.done", summary_index=0, part=self._part()),
        ]

    def _part(self) -> dict[str, Any]:
        return {"type": "summary_text", "text": str(self.text)}


class Message(Item):
    """An item with what the model said."""

    prefix = "msg"

    def __init__(self, place: int) -> None:
        super().__init__(place)
        self.annotations: list[dict[str, Any]] = []
        self.logprobs: list[dict[str, Any]] = []
        self._is_begun = False

    def fields(self) -> dict[str, Any]:
        """The item as JSON fields."""
        content = [self._part()] if self._is_begun else []
        return {"id": self.id, "type": "message", "role": "assistant", "status": self.status, "content": content}

    def opening(self) -> list[Event]:
        """The events with which it begins."""
        added = super().opening()
        self._is_begun = True
        return [*added, self.event("content_part.added", content_index=0, part=self._part())]

    def add(self, text: str) -> list[Event]:
        """Add text; returns the event that tells of it."""
        self.text.add(text)
        return [self.event("output_text.delta", content_index=0, delta=text, logprobs=[])]

    def annotate(self, annotation: dict[str, Any]) -> list[Event]:
        """Add an annotation; returns the event that tells of it."""
        place = len(self.annotations)
        self.annotations.append(annotation)
        fields = {"content_index": 0, "annotation_index": place, "annotation": annotation}
        return [self.event("output_text.annotation.added", **fields)]

    def closing(self) -> list[Event]:
        """The events with which it ends, before the one that has it whole."""
        return [
            self.event("output_text.done", content_index=0, text=str(self.text), logprobs=self.logprobs),
            self.event("content_part.done", content_index=0, part=self._part()),
        ]

    def _part(self) -> dict[str, Any]:
        return {
            "type": "output_text",
            "text": str(self.text),
            "annotations": list(self.annotations),
            "logprobs": list(self.logprobs),
        }


class Call(Item):
    """A call of a function of the program."""

    prefix = "fc"

    def __init__(self, place: int, call: ToolCall) -> None:
        super().__init__(place)
        self.call = call

    def fields(self) -> dict[str, Any]:
        """The item as JSON fields."""
        return self.call.more | {
            "id": self.id,
            "type": "function_call",
            "status": self.status,
            "call_id": self.call.key,
            "name": self.call.name,
            "arguments": str(self.text),
        }

    def add(self, text: str) -> list[Event]:
        """Add arguments; returns the event that tells of them."""
        self.text.add(text)
        return [self.event("function_call_arguments.delta", delta=text)]

    def closing(self) -> list[Event]:
        """The event with which it ends, before the one that has it whole."""
        return [self.event("function_call_arguments.done", name=self.call.name, arguments=str(self.text))]
