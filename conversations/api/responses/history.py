"""The input of a response, as the messages of a completion."""

from collections.abc import Callable
from typing import Any

from ninja import Field
from pydantic import ConfigDict, ValidationError

from chatbot.web.api import Body
from chatbot.web.problems import invalid
from chatbot.web.wording import in_words
from conversations.api.completion_schemas import SaidIn, is_json

TEXTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}
"""Type of a part -> the field that holds its text."""

REFERENCE = "Nothing is stored here: send the item itself instead of a reference to it."


class Item(Body):
    """An item of the input; its further fields, such as its ID and its status, are for its program."""

    model_config = ConfigDict(extra="ignore", strict=True)


class MessageItem(Item):
    """An item with what somebody said."""

    role: str
    content: Any


class CallItem(Item):
    """A call of a function by the model."""

    call_id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    arguments: str
    extra_content: dict[str, Any] | None = None
    """What the provider sent beside the call, and wants back."""


class OutputItem(Item):
    """The result of a call."""

    call_id: str = Field(min_length=1)
    output: Any


def messages(given: str | list[Any], instructions: str | None) -> list[SaidIn]:
    """The messages of an input, after the instructions if there are any. Raises `Problem` for what is not text."""
    history = History(instructions)
    if isinstance(given, str):
        history.say("user", given, "input")
        return history.begun + history.said
    for place, item in enumerate(given):
        where = f"input.{place}"
        if not isinstance(item, dict):
            raise invalid((where, "This must be an object."))
        history.add(item, where)
    if not history.said:
        raise invalid(("input", "This needs at least one message."))
    return history.begun + history.said


class History:
    """Messages, assembled from items one by one.

    What the model said and called between two other items is one message, as completions have it.
    """

    def __init__(self, instructions: str | None) -> None:
        self.begun = [SaidIn(role="system", content=instructions)] if instructions else []
        self.said: list[SaidIn] = []
        self._kinds: dict[str, Callable[[dict[str, Any], str], None]] = {
            "message": self._message,
            "function_call": self._call,
            "function_call_output": self._output,
            # A model reasons again: its reasoning is never sent back.
            "reasoning": lambda item, where: None,
        }

    def add(self, item: dict[str, Any], where: str) -> None:
        """Add an item; `where` names it in a refusal. Raises `Problem`."""
        kind = item.get("type")
        if kind is None:
            kind = "message" if "role" in item else "item_reference"
        if kind == "item_reference":
            raise invalid((where, REFERENCE))
        if not isinstance(kind, str) or kind not in self._kinds:
            named = f", not {kind[:50]}" if isinstance(kind, str) else ""
            raise invalid(
                (f"{where}.type", f"Only messages, calls of functions and their outputs are supported{named}.")
            )
        self._kinds[kind](item, where)

    def say(self, role: str, text: str, where: str, **more: str) -> None:
        """Add a message with this text; `where` names it in a refusal. Raises `Problem`."""
        message = SaidIn.model_validate({"role": role, "content": text} | more)
        try:
            message.check()
        except ValueError as error:
            raise invalid((where, str(error))) from error
        self.said.append(message)

    def _message(self, item: dict[str, Any], where: str) -> None:
        message = read(MessageItem, item, where)
        if message.role not in {"user", "assistant", "system", "developer"}:
            raise invalid((f"{where}.role", "This must be user, assistant, system or developer."))
        text = text_of(message.content, f"{where}.content")
        turn = self._open_turn()
        if message.role == "assistant" and turn and calls_of(turn) and is_json(text):
            # A message may not stand between a call and its result.
            turn.content = "\n\n".join(filter(None, [turn.text, text]))
            return
        self.say(message.role, text, f"{where}.content")

    def _call(self, item: dict[str, Any], where: str) -> None:
        called = read(CallItem, item, where)
        call: dict[str, Any] = {
            "id": called.call_id,
            "type": "function",
            "function": {"name": called.name, "arguments": called.arguments},
        }
        if called.extra_content:
            call["extra_content"] = called.extra_content
        if not is_json(call):
            raise invalid((where, "This is not valid text."))
        turn = self._open_turn()
        if turn is None:
            turn = SaidIn(role="assistant")
            self.said.append(turn)
        calls_of(turn).append(call)

    def _output(self, item: dict[str, Any], where: str) -> None:
        result = read(OutputItem, item, where)
        text = text_of(result.output, f"{where}.output")
        self.say("tool", text, where, tool_call_id=result.call_id)

    def _open_turn(self) -> SaidIn | None:
        """The message to which the model's next call belongs; None unless the model spoke last."""
        return self.said[-1] if self.said and self.said[-1].role == "assistant" else None


def calls_of(message: SaidIn) -> list[dict[str, Any]]:
    """The calls of a message, to which more can be added."""
    further = message.model_extra
    calls: list[dict[str, Any]] = further.setdefault("tool_calls", []) if further is not None else []
    return calls


def read[Kind: Item](kind: type[Kind], item: dict[str, Any], where: str) -> Kind:
    """The item as one of this kind. Raises `Problem` for its first wrong field."""
    try:
        return kind.model_validate(item)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise invalid((".".join([where, *map(str, first["loc"])]), in_words(first))) from error


def text_of(content: object, where: str) -> str:
    """The text of a content, with its parts joined. Raises `Problem` for parts that are no text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise invalid((where, "This must be text, or a list of parts."))
    return "".join(part_of(part, f"{where}.{place}") for place, part in enumerate(content))


def part_of(part: object, where: str) -> str:
    """The text of a part. Raises `Problem` for one that is no text."""
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(kind, str):
        raise invalid((where, "Each part must be an object with a type."))
    if kind not in TEXTS:
        raise invalid((where, f"Only text is supported, not {kind[:50]}."))
    text = part.get(TEXTS[kind])
    if not isinstance(text, str):
        raise invalid((where, f"A part of type {kind} needs its {TEXTS[kind]}."))
    return text
