"""The protocol of OpenAI-compatible servers: bytes in, typed events out. No input or output of its own."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import jiter

COUNT_LIMIT = 2**31
"""More tokens than this nobody has counted; a column could not hold it."""

EVENT_MAX_BYTES = 32 * 1024 * 1024
"""The longest event that is kept in memory; a server that sends more without an end is not speaking the protocol."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the reply's text, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """The next piece of what the model thinks before it answers, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What the provider counted, in tokens, once, after the text."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The last event. `reason` is the provider's word: `stop`, `length`, ..."""

    reason: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The first event when the caller named no model: the name of the one that answers."""

    model: str


Event = Asked | TextDelta | ReasoningDelta | Usage | Finish


PLAIN_DELTA = frozenset({"content", "role"})
"""What a piece of text may have as its fields."""


class ProtocolError(Exception):
    """What arrived is not the protocol; the text says what it was, for staff."""


class SentError(Exception):
    """The provider sent an error in place of an answer or inside one; `body` is its decoded JSON."""

    def __init__(self, body: object) -> None:
        super().__init__()
        self.body = body


class EventStream:
    """Splits the bytes of a server-sent event stream into the data of its events.

    Packets may end anywhere. Lines may end in LF, CRLF or CR. Comments and other fields are passed over.
    """

    def __init__(self) -> None:
        self._line: list[bytes] = []
        self._line_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._after_cr = False

    def feed(self, packet: bytes) -> list[bytes]:
        """Return the data of the events that `packet` completes, in order."""
        if self._after_cr and packet.startswith(b"\n"):
            packet = packet[1:]
            self._after_cr = False
        if b"\r" in packet:
            self._after_cr = packet.endswith(b"\r")
            packet = packet.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        elif packet:
            self._after_cr = False
        head, *lines = packet.split(b"\n")
        # A long line arrives in many packets; they are joined once, at its end.
        self._line.append(head)
        self._line_bytes += len(head)
        if self._line_bytes + self._data_bytes > EVENT_MAX_BYTES:
            raise ProtocolError(f"an event of more than {EVENT_MAX_BYTES} bytes")
        if not lines:
            return []
        lines.insert(0, b"".join(self._line))
        rest = lines.pop()
        self._line = [rest]
        self._line_bytes = len(rest)
        events: list[bytes] = []
        for line in lines:
            self._data_bytes += len(line)
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif line.startswith(b"\xef\xbb\xbfdata:"):
                self._data.append(line[8:].removeprefix(b" "))
            elif not line and self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
                self._data_bytes = 0
        return events

    def close(self) -> list[bytes]:
        """Return the data of a last event whose blank line never came, as several servers leave it out."""
        return self.feed(b"\n\n")


class ThinkSplitter:
    """Tells what stands inside a leading `<think>…</think>` from the text after it, whatever pieces they come in."""

    OPEN, CLOSE = "<think>", "</think>"

    def __init__(self) -> None:
        self._held = ""
        self._state = "start"

    @property
    def is_over(self) -> bool:
        """Whether all that follows is text."""
        return self._state == "text"

    def feed(self, text: str) -> Iterator[Event]:
        """Yield the events of the next piece; what may be half a tag is held back."""
        if self._state == "text":
            yield TextDelta(text)
            return
        self._held += text
        if self._state == "start":
            begin = self._held.lstrip()
            if begin.startswith(self.OPEN):
                self._state = "think"
                self._held = begin[len(self.OPEN) :].lstrip()
            elif self.OPEN.startswith(begin):
                return
            else:
                yield from self._as_text(self._held)
                return
        if self._state == "think":
            yield from self._think()
        elif self._state == "after" and self._held.strip():
            yield from self._as_text(self._held.lstrip())

    def close(self) -> Iterator[Event]:
        """Yield what was held back, now that nothing follows."""
        if self._held and self._state == "think":
            yield ReasoningDelta(self._held)
        elif self._held and self._state == "start":
            yield TextDelta(self._held)
        self._held = ""

    def _think(self) -> Iterator[Event]:
        thought, tag, rest = self._held.partition(self.CLOSE)
        if tag:
            self._state = "after"
            self._held = ""
            if thought.rstrip():
                yield ReasoningDelta(thought.rstrip())
            if rest:
                yield from self.feed(rest)
            return
        keep = next((n for n in range(len(self.CLOSE) - 1, 0, -1) if thought.endswith(self.CLOSE[:n])), 0)
        self._held = thought[len(thought) - keep :]
        if len(thought) > keep:
            yield ReasoningDelta(thought[: len(thought) - keep])

    def _as_text(self, text: str) -> Iterator[Event]:
        self._state = "text"
        self._held = ""
        yield TextDelta(text)


class Cleaner:
    """Makes any JSON string storable: NUL characters go, surrogate pairs that were split over two pieces are joined."""

    def __init__(self) -> None:
        self._high = ""

    def __call__(self, text: str) -> str:
        """Return the next piece, clean; a high surrogate at its end waits for its other half."""
        if text.isascii() and not self._high:
            return text.replace("\x00", "") if "\x00" in text else text
        text = (self._high + text).replace("\x00", "")
        self._high = ""
        if "\ud800" <= text[-1:] <= "\udbff":
            self._high = text[-1]
            text = text[:-1]
        try:
            text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return text


class Answer:
    """Reads one answer, as a stream of chunks or as one JSON object, into events.

    `finish` is the provider's finish reason, empty while none came; `begun` says whether any text or reasoning did;
    `done` whether the stream's `[DONE]` did.
    """

    def __init__(self) -> None:
        self.finish = ""
        self.begun = False
        self.done = False
        self._usage: Usage | None = None
        self._think = ThinkSplitter()
        self._clean = Cleaner()
        self._clean_reasoning = Cleaner()

    def chunks(self, several: Iterable[bytes]) -> Iterator[Event]:
        """Yield the events of chunks of the stream; text that follows text is one event.

        Raises ProtocolError when one is not JSON, SentError when one is an error.
        """
        pieces: list[str] = []
        try:
            for data in several:
                if data.strip() == b"[DONE]":
                    self.done = True
                    continue
                answer = decode(data)
                piece = self._plain(answer) if self._think.is_over else None
                if piece is not None:
                    pieces.append(piece)
                    continue
                events = list(self._read(answer, "delta"))
                if events and (text := "".join(pieces)):
                    yield TextDelta(text)
                    pieces.clear()
                yield from events
        except (ProtocolError, SentError):
            if text := "".join(pieces):
                yield TextDelta(text)
            raise
        if text := "".join(pieces):
            yield TextDelta(text)

    def _plain(self, answer: Any) -> str | None:
        """The text of a chunk that holds nothing else, as nearly all do; else None."""
        try:
            (choice,) = answer["choices"]
            delta = choice["delta"]
            if delta.keys() <= PLAIN_DELTA and not (
                choice.get("index") or choice.get("finish_reason") or answer.get("usage") or answer.get("error")
            ):
                return self._clean(delta["content"])
        except (KeyError, TypeError, ValueError, AttributeError):
            pass
        return None

    def whole(self, body: bytes) -> Iterator[Event]:
        """Yield the events of an answer that came as one JSON object, though a stream was asked for."""
        answer = decode(body)
        if isinstance(answer, dict) and "choices" not in answer and "error" not in answer:
            raise ProtocolError(f"JSON without choices; its fields: {', '.join(map(str, answer))}"[:500])
        yield from self._read(answer, "message")
        self.finish = self.finish or "stop"

    def close(self) -> Iterator[Event]:
        """Yield what was held back, then the usage."""
        for event in self._think.close():
            self.begun = True
            yield event
        if self._usage:
            yield self._usage

    def _read(self, answer: Any, kind: str) -> Iterator[Event]:
        if not isinstance(answer, dict):
            raise ProtocolError(f"JSON that is {type(answer).__name__}, not an object")
        if answer.get("error"):
            raise SentError(answer)
        usage = answer.get("usage")
        if isinstance(usage, dict):
            # Some servers count in each chunk; the last count holds.
            self._usage = Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))
        choices = answer.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            # Only one answer was asked for; whoever sends more numbers them.
            if not isinstance(choice, dict) or choice.get("index"):
                continue
            delta = choice.get(kind) or choice.get("message")
            if isinstance(delta, dict):
                yield from self._delta(delta)
            reason = choice.get("finish_reason")
            if isinstance(reason, str) and reason:
                self.finish = reason

    def _delta(self, delta: dict[str, Any]) -> Iterator[Event]:
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(reasoning, str) and (reasoning := self._clean_reasoning(reasoning)):
            self.begun = True
            yield ReasoningDelta(reasoning)
        content = delta.get("content") or delta.get("refusal")
        if isinstance(content, list):
            content = "".join(part["text"] for part in content if isinstance(part, dict) and _is_text(part))
        if isinstance(content, str) and (content := self._clean(content)):
            for event in self._think.feed(content):
                self.begun = True
                yield event


def decode(data: bytes) -> Any:
    """Return the decoded JSON. Raises ProtocolError, without the text, when it is not JSON."""
    try:
        return jiter.from_json(data, cache_mode="keys")
    except ValueError:
        # The quick parser refuses what Python's takes: lone surrogates, broken UTF-8.
        try:
            return json.loads(data.decode(errors="replace"))
        except (ValueError, RecursionError) as error:
            raise ProtocolError(f"not JSON ({len(data)} bytes): {error}") from None


def looks_like(beginning: bytes) -> str:
    """Return `json`, `html`, `stream` or, when there is only white space yet, an empty text.

    The bytes decide and not the content type, which many servers and proxies get wrong.
    """
    begin = re.sub(rb"^(\xef\xbb\xbf)?\s+", b"", beginning[:1_000]).removeprefix(b"\xef\xbb\xbf")
    if not begin:
        return ""
    return {b"{": "json", b"[": "json", b"<": "html"}.get(begin[:1], "stream")


def _is_text(part: dict[str, Any]) -> bool:
    return part.get("type") == "text" and isinstance(part.get("text"), str)


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value < COUNT_LIMIT else 0
