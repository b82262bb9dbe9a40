"""What the model says in the rounds of one answer, joined as the page joins those of a reply."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from conversations.llm import service as llm
from conversations.llm.pieces import Pieces
from conversations.llm.service import Event, Finish, ReasoningDelta, TextDelta
from conversations.llm.tool_calls import ToolCalls
from conversations.models.steps import JOINT


class Joined:
    """A text to which rounds add theirs, each after a blank line."""

    def __init__(self) -> None:
        self.length = 0
        """Characters of the text so far."""
        self._is_joined = True

    def begin(self) -> None:
        """Note that a further round begins."""
        self._is_joined = not self.length

    def add(self, text: str) -> str:
        """Add a piece of the round's text; returns it as it follows what came before, perhaps empty."""
        if not self._is_joined:
            if not (text := text.lstrip()):
                return ""
            text, self._is_joined = JOINT + text, True
        self.length += len(text)
        return text


class SiteRound:
    """One round of an answer, collected while its events are passed on.

    Of an answer that is sent whole they are held until it is known whether the text is reasoning; what was streamed as
    text stays text for the client, but not for the model.
    """

    def __init__(self, *, streams: bool, text: Joined, reasoning: Joined) -> None:
        """Continue `text` and `reasoning`, those of the answer so far."""
        self.finish = Finish("stop")
        self.items: Mapping[str, Any] = {}
        """Fields of the answer that go back to the provider."""
        self.may_act = False
        """Whether tools were offered, so that calls can run."""
        self._streams = streams
        self._joined, self._joined_reasoning = text, reasoning
        text.begin()
        reasoning.begin()
        self._text, self._reasoning = Pieces(), Pieces()
        self._calls = ToolCalls()
        self._held: list[Event] = []
        self._size = 0

    @property
    def text(self) -> str:
        """What this round alone has said."""
        return str(self._text).removeprefix(JOINT)

    @property
    def reasoning(self) -> str:
        """What the model thought in this round alone."""
        return str(self._reasoning).strip()

    def calls(self) -> list[dict[str, Any]]:
        """The calls that the model named, in OpenAI's form, once all events have come; none where none can run."""
        return self._calls.whole() if self.may_act else []

    def take(self, event: Event) -> Iterator[Event]:
        """Add an event of the model; yields what the client is told by now."""
        match event:
            case llm.Finish():
                self.finish = event
            case llm.Returned(fields=fields):
                self.items = fields
            case llm.Extra(name="tool_calls" | "function_call" as name, value=value):
                self._size += len(str(value))
                self._calls.take(name, value)
            case llm.TextWasReasoning():
                self._turn_into_reasoning()
            case _:
                self._held.append(event)
                self._size += len(event.text) if isinstance(event, TextDelta | ReasoningDelta) else 0
                if self._streams or self.is_too_long:
                    yield from self.rest()

    @property
    def is_too_long(self) -> bool:
        """Whether more came than a reply may have."""
        return self._size > settings.CHAT_REPLY_MAX_CHARS

    def cut(self) -> None:
        """End the round where it is too long: it is cut, and its calls do not run."""
        self.finish, self.may_act = Finish("length"), False

    def rest(self) -> Iterator[Event]:
        """Yield what is still held."""
        held, self._held = self._held, []
        for event in held:
            match event:
                case TextDelta(text=text):
                    if text := self._joined.add(text):
                        self._text.add(text)
                        yield TextDelta(text)
                case ReasoningDelta(text=text):
                    if text := self._joined_reasoning.add(text):
                        self._reasoning.add(text)
                        yield ReasoningDelta(text)
                case _:
                    yield event

    def _turn_into_reasoning(self) -> None:
        self._reasoning.add(self.text.lstrip())
        self._text = Pieces()
        text = "".join(event.text for event in self._held if isinstance(event, TextDelta)).lstrip()
        self._held = [event for event in self._held if not isinstance(event, TextDelta)]
        if text:
            self._held.append(ReasoningDelta(text))
