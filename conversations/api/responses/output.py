"""The output of a response: its items in the order in which the model begins them."""

from typing import Any

from conversations.api.completions import Completion
from conversations.api.responses.items import COMPLETED, Call, Event, Item, Message, Reasoning
from conversations.llm.tool_calls import called, said


class Output:
    """The items so far, made from what a completion brings."""

    def __init__(self, completion: Completion) -> None:
        self.items: list[Item] = []
        self._completion = completion
        self._spoken: Reasoning | Message | None = None
        """The item to which the next text of its kind belongs."""
        self._calls: dict[int, Call] = {}
        """The items of the completion's calls, by their index there."""
        self._called: Call | None = None
        """The item of the call to which the last piece belonged."""

    def fields(self) -> list[dict[str, Any]]:
        """The items as JSON fields."""
        return [item.done or item.fields() for item in self.items]

    def grow(self, brought: dict[str, Any]) -> list[Event]:
        """Add what a completion brought; returns the events that tell of it."""
        delta: dict[str, Any] = brought.get("delta", {})
        events: list[Event] = []
        if reasoning := delta.get("reasoning_content"):
            events += self._say(Reasoning, reasoning)
        if text := delta.get("content"):
            events += self._say(Message, text)
        for piece in delta.get("tool_calls", ()):
            events += self._call(piece)
        for annotation in delta.get("annotations", ()):
            events += self._annotate(annotation)
        if isinstance(self._spoken, Message):
            self._spoken.logprobs += probabilities(brought.get("logprobs", {}).get("content"))
        return events

    def end(self, status: str) -> list[Event]:
        """End what is open with this status; returns the events that tell of it."""
        return [event for item in self.items if item.is_open for event in item.close(status)]

    def text_was_reasoning(self) -> None:
        """Make the message so far the model's reasoning, in a response of which nothing was sent."""
        message = self._spoken
        if isinstance(message, Message):
            self._spoken = reasoning = Reasoning(message.place)
            reasoning.add(str(message.text).lstrip())
            self.items[message.place] = reasoning

    def _say(self, kind: type[Reasoning] | type[Message], text: str) -> list[Event]:
        events: list[Event] = []
        if not isinstance(self._spoken, kind):
            events = self._close()
            self._spoken = kind(len(self.items))
            self.items.append(self._spoken)
            events += self._spoken.opening()
        return events + self._spoken.add(text)

    def _call(self, piece: dict[str, Any]) -> list[Event]:
        events: list[Event] = []
        item = self._calls.get(piece["index"])
        if item is None:
            events = self._close()
            call = self._completion.tools.calls[piece["index"]]
            item = self._calls[piece["index"]] = Call(len(self.items), call)
            self.items.append(item)
            events += item.opening()
        self._called = item
        text = said(called(piece))
        return events + (item.add(text) if text and item.is_open else [])

    def _annotate(self, annotation: object) -> list[Event]:
        if not isinstance(annotation, dict) or not isinstance(self._spoken, Message):
            return []
        kind = annotation.get("type")
        inner = annotation.get(kind) if isinstance(kind, str) else None
        return self._spoken.annotate({"type": kind} | inner if isinstance(inner, dict) else annotation)

    def _close(self) -> list[Event]:
        """End the item before another one, unless it is a call that is not whole: more pieces of it may come."""
        done: list[Item] = [self._spoken] if self._spoken else []
        last = self._called
        if last and last.is_open and last.call.name and last.call.is_whole:
            done.append(last)
        self._spoken = self._called = None
        return [event for item in done for event in item.close(COMPLETED)]


def probabilities(tokens: object) -> list[dict[str, Any]]:
    """The probabilities of tokens in the form of a response."""
    return [probability(token) for token in tokens if isinstance(token, dict)] if isinstance(tokens, list) else []


def probability(token: dict[str, Any]) -> dict[str, Any]:
    """The probability of a token in the form of a response, which has bytes always."""
    text = str(token.get("token", ""))
    found = {"token": text, "bytes": token.get("bytes") or list(text.encode(errors="replace"))}
    found["logprob"] = token.get("logprob", 0.0)
    return found | ({"top_logprobs": probabilities(token["top_logprobs"])} if "top_logprobs" in token else {})
