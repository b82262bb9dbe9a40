"""Scripts of the scripted provider: plain data, composed of small steps."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any


@dataclass(frozen=True, slots=True)
class Text:
    """One chunk with the next piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """One chunk with the next piece of reasoning; `field` is the name that the provider gives it."""

    text: str
    field: str = "reasoning_content"


@dataclass(frozen=True, slots=True)
class Calls:
    """One chunk with pieces of tool calls, each as JSON text."""

    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finish:
    """The chunk that carries the finish reason."""

    reason: str = "stop"


@dataclass(frozen=True, slots=True)
class Usage:
    """The chunk with token counts; sent only to clients that asked for it with `stream_options`."""

    prompt_tokens: int = 7
    completion_tokens: int = 5


@dataclass(frozen=True, slots=True)
class Done:
    """The last line of a stream, `data: [DONE]`."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that are sent exactly as given."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Split:
    """The bytes of `step`, sent in several packets: cut at the offsets `at`."""

    step: "Text | Reasoning | Finish | Done | Raw"
    at: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """A pause of `seconds`; all pauses follow one timetable, so a late step does not delay later ones."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Gate:
    """A pause until the test opens the gate with this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Stall:
    """No further bytes, with the connection left open."""


@dataclass(frozen=True, slots=True)
class Close:
    """Closes the connection in the middle of the body."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Ends the connection with a TCP reset."""


Step = Text | Reasoning | Calls | Finish | Usage | Done | Raw | Split | Wait | Gate | Stall | Close | Reset


# Compared by identity: hashing hundreds of steps for each request would be slow.
@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """One answer: the steps `before` its head, the head, then its `steps`.

    Without `chunked` the body ends with the connection.
    """

    steps: tuple[Step, ...] = ()
    before: tuple[Step, ...] = ()
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "text/event-stream"
    chunked: bool = True

    @property
    def text(self) -> str:
        """The whole text that a client gets."""
        return "".join(step.text for step in self.steps if isinstance(step, Text))


END = (Finish(), Usage(), Done())
WORDS = ("The", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "and", "sleeps", "in", "the", "grass.")


def stream(*steps: Step, before: tuple[Step, ...] = ()) -> Script:
    """An answer that consists of exactly these steps."""
    return Script(steps, before)


def reply(text: str, *, interval: float = 0.0, first: float = 0.0, usage: bool = True) -> Script:
    """A whole answer, streamed word by word, `interval` seconds apart, the first after `first` seconds."""
    pieces = [Text(piece) for piece in re.findall(r"\s*\S+\s*?(?=\s|$)|\s+", text)]
    count = Usage(completion_tokens=len(pieces))
    end = (Finish(), count, Done()) if usage else (Finish(), Done())
    return Script((*_timed(pieces, interval, first), *end))


def calls(*named: tuple[str, dict[str, Any]], text: str = "") -> Script:
    """An answer that says `text` and calls these tools, each with its arguments."""
    pieces = tuple(
        json.dumps(
            {
                "index": number,
                "id": f"call_{number}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)},
            }
        )
        for number, (name, arguments) in enumerate(named)
    )
    said = (Text(text),) if text else ()
    return Script((*said, Calls(pieces), Finish("tool_calls"), Usage(), Done()))


def tokens(count: int, *, interval: float = 0.0, first: float = 0.0) -> Script:
    """A whole answer of `count` words, at a given pace."""
    pieces = [Text(f"{word} ") for word in islice(cycle(WORDS), count)]
    return Script((*_timed(pieces, interval, first), Finish(), Usage(completion_tokens=count), Done()))


def _timed(pieces: list[Text], interval: float, first: float) -> Iterator[Step]:
    for number, piece in enumerate(pieces):
        wait = interval if number else first
        if wait:
            yield Wait(wait)
        yield piece


def error(
    status: int, message: str, *, code: str | None = None, kind: str = "error", headers: dict[str, str] | None = None
) -> Script:
    """An error status with the body that OpenAI sends, its `type` set to `kind`."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return json_answer(body, status=status, headers=headers)


def json_answer(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Script:
    """An answer with any JSON as its body, in one piece."""
    steps = (Raw(json.dumps(body).encode()),)
    return Script(steps, status=status, headers=tuple((headers or {}).items()), content_type="application/json")


def whole(text: str, *, model: str = "scripted") -> Script:
    """An answer that is not streamed."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    return json_answer({"object": "chat.completion", "model": model, "choices": [choice], "usage": usage})


def html(status: int = 200) -> Script:
    """A web page, as a proxy or a wrong address sends it."""
    page = b"<!DOCTYPE html><html><title>Welcome</title><body>Sign in to the network</body></html>"
    return Script((Raw(page),), status=status, content_type="text/html; charset=utf-8")


def echo(message: str) -> Script:
    """A readable Markdown answer that repeats the message."""
    quoted = message.replace("\n", "\n> ")
    return reply(
        f"You wrote:\n\n> {quoted}\n\nThis answer comes from a script, word by word. It has\n\n"
        "- a **list**,\n- some `code`,\n- and an end.\n"
    )
