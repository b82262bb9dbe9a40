"""The protocol of OpenAI-compatible servers: JSON of an answer in, typed events out. Does no I/O."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from conversations.llm.events import (
    Asked,
    Event,
    Extra,
    Finish,
    ReasoningDelta,
    Returned,
    TextDelta,
    TextWasReasoning,
    Usage,
)
from conversations.llm.reasoning import ThinkSplitter
from conversations.llm.sse import EVENT_MAX_BYTES, EventStream, ProtocolError, decode, looks_like

__all__ = [
    "EVENT_MAX_BYTES",
    "Answer",
    "Asked",
    "Event",
    "EventStream",
    "Finish",
    "ProtocolError",
    "ReasoningDelta",
    "SentError",
    "TextDelta",
    "TextWasReasoning",
    "ThinkSplitter",
    "Usage",
    "looks_like",
]

COUNT_LIMIT = 2**31
"""Token counts from this number on are ignored: they cannot be true, and no column holds them."""

EXTRAS = ("tool_calls", "function_call", "annotations")
"""Fields of an answer besides its text and its reasoning."""

CALLS = frozenset({"tool_calls", "function_call"})
"""Fields of an answer that name calls of tools."""

PLAIN_DELTA = frozenset({"content", "role"})
"""Fields of a chunk that holds nothing but text."""

REASONING = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
"""Fields that providers use for reasoning; a provider that sends several repeats the same text in them."""

GROWING = ("text", "summary")
"""Fields of a part of the reasoning that come in pieces."""

FINE = ("0", "200", "ok", "success")
NOTHING = (None, 0, "", "0")

REPEATED_LEAST = 16
"""Characters from which a last piece that equals all text before it is a repetition; shorter ones may be meant."""


class SentError(Exception):
    """The provider sent an error in place of an answer or inside one; `body` is its decoded JSON."""

    def __init__(self, body: object) -> None:
        super().__init__()
        self.body = body


class Cleaner:
    """Makes any JSON string storable: removes NUL characters, joins surrogate pairs split over two pieces."""

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

    `finish` is the provider's finish reason, empty until it comes; `begun` tells whether any text or reasoning came;
    `done` whether the stream's `[DONE]` came.
    """

    def __init__(self) -> None:
        self.finish = ""
        self.begun = False
        self.done = False
        self._unknown = ""
        self._unknown_after = 0
        self._usage: Usage | None = None
        self._has_text = False
        self._extras: set[str] = set()
        self._think = ThinkSplitter()
        self._clean = Cleaner()
        self._clean_reasoning = Cleaner()
        self._reasoning: dict[str, str] = {}
        """First piece of the reasoning from each source: a field, or tags in the text."""
        self._returned: dict[str, list[Any]] = {}
        """Pieces of the reasoning by its field, as the provider sent them."""
        self._told_twice: str | None = None
        """The source whose reasoning repeats what was already yielded; empty when both sources differ."""

    @property
    def unknown(self) -> str:
        """Fields of an object that came after the last text and is not a chunk; else empty."""
        return self._unknown if self._unknown_after == len(self._think.said) else ""

    def chunks(self, several: Iterable[bytes]) -> Iterator[Event]:
        """Yield the events of chunks of the stream; consecutive text becomes one event.

        Raises ProtocolError when a chunk is not JSON, SentError when one is an error.
        """
        if self.done:
            return
        pieces: list[str] = []
        try:
            for data in several:
                if data[:1] != b"{" and data.strip() == b"[DONE]":
                    self.done = True
                    break
                answer = decode(data)
                piece = self._plain(answer)
                if piece is not None:
                    pieces.append(piece)
                    continue
                events = list(self._read(answer))
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
        """The text of a chunk that holds nothing else, as nearly all chunks do; else None."""
        try:
            (choice,) = answer["choices"]
            delta = choice["delta"]
            if (len(delta) == 1 or delta.keys() <= PLAIN_DELTA) and not (
                self.finish
                or choice.get("index")
                or choice.get("finish_reason")
                or choice.get("message")
                or choice.get("logprobs")
                or answer.get("usage")
                or answer.get("error")
            ):
                content = delta["content"]
                if self._think.passes(content):
                    return self._clean(content)
        except (KeyError, TypeError, ValueError, AttributeError):
            pass
        return None

    def whole(self, body: bytes) -> Iterator[Event]:
        """Yield the events of an answer that came as one JSON object instead of a stream."""
        answer = decode(body)
        if isinstance(answer, list) and answer:
            # Gemini sends its errors in a list.
            answer = answer[0]
        if isinstance(answer, dict) and "choices" not in answer and not _error_in(answer):
            raise ProtocolError(f"JSON without choices; its fields: {', '.join(map(str, answer))}"[:500])
        yield from self._read(answer)
        self.finish = self.finish or "stop"

    def close(self) -> Iterator[Event]:
        """Yield the events that were held back, then the usage."""
        for event in self._think.close():
            yield from self._told(event)
        if self._returned and self._extras & CALLS:
            yield Returned({name: _joined(pieces) for name, pieces in self._returned.items()})
        if self._usage:
            yield self._usage

    def _read(self, answer: Any) -> Iterator[Event]:
        if isinstance(answer, list) and answer:
            # Gemini sends its errors in a list, in a stream too.
            answer = answer[0]
        if answer is None:
            return
        if not isinstance(answer, dict):
            raise ProtocolError(f"JSON that is {type(answer).__name__}, not an object")
        if error := _error_in(answer):
            raise SentError(error)
        usage, choices = answer.get("usage"), answer.get("choices")
        if isinstance(usage, dict):
            # Some servers send counts in each chunk; the last ones are valid.
            self._usage = _usage(usage)
        elif answer and "choices" not in answer and answer.get("type") != "ping":
            self._unknown = f"fields: {', '.join(map(str, answer))}"[:500]
            self._unknown_after = len(self._think.said)
        for choice in choices if isinstance(choices, list) else ():
            # Only one answer was asked for; servers that send several number them.
            if isinstance(choice, dict) and choice.get("index") in NOTHING:
                yield from self._choice(choice)

    def _choice(self, choice: dict[str, Any]) -> Iterator[Event]:
        if choice.get("error"):
            raise SentError(choice)
        reason = choice.get("finish_reason")
        delta, message = choice.get("delta"), choice.get("message")
        if isinstance(delta, dict) and not ((reason or self.finish) and self._is_all_again(delta)):
            yield from self._delta(delta)
        if isinstance(message, dict):
            # The end of a stream may repeat the whole message.
            came = {"content", "refusal"} if self._has_text else set()
            came |= set(REASONING) if self._reasoning else set()
            came |= self._extras
            yield from self._delta({name: value for name, value in message.items() if name not in came})
        if isinstance(logprobs := choice.get("logprobs"), dict):
            yield Extra("logprobs", logprobs)
        if isinstance(reason, str) and reason.lower() not in {"", "null", "none"}:
            self.finish = reason

    def _is_all_again(self, delta: dict[str, Any]) -> bool:
        """Whether the last piece repeats all the text before it."""
        content, said = delta.get("content"), self._think.said
        is_long = isinstance(content, str) and len(content) >= REPEATED_LEAST
        return is_long and len(said) > 1 and content == "".join(said)

    def _delta(self, delta: dict[str, Any]) -> Iterator[Event]:
        reasoning = next(filter(None, (_reasoning(delta.get(name)) for name in REASONING)), "")
        if reasoning or "reasoning_details" in delta:
            self._keep_to_return(delta)
        content = delta.get("content") or delta.get("refusal")
        if isinstance(content, list):
            parts = [part for part in content if isinstance(part, dict)]
            reasoning = reasoning or "".join(_reasoning(part.get("thinking")) for part in parts)
            content = "".join(part["text"] for part in parts if _is_text(part))
        if reasoning := self._clean_reasoning(reasoning):
            self._think.expect_none()
            yield from self._thinks(reasoning, "field")
        if isinstance(content, str) and (content := self._clean(content)):
            self._has_text = True
            for event in self._think.feed(content):
                yield from self._told(event)
        for name in EXTRAS:
            if value := delta.get(name):
                self.begun = True
                self._extras.add(name)
                yield Extra(name, value)

    def _keep_to_return(self, delta: dict[str, Any]) -> None:
        """Collect the fields with reasoning, whose pieces follow one another."""
        for name in REASONING:
            value = delta.get(name)
            if value and isinstance(value, str | list):
                self._returned.setdefault(name, []).extend([value] if isinstance(value, str) else value)

    def _told(self, event: Event) -> Iterator[Event]:
        if isinstance(event, ReasoningDelta):
            yield from self._thinks(event.text, "tags")
            return
        self.begun = True
        yield event

    def _thinks(self, text: str, source: str) -> Iterator[Event]:
        """Yield the next piece of reasoning; some servers send it twice, in a field and in the text."""
        first = self._reasoning.setdefault(source, text).strip()
        if self._told_twice is None and len(self._reasoning) > 1:
            other = next(iter(self._reasoning.values())).strip()
            self._told_twice = source if first.startswith(other) or other.startswith(first) else ""
        if source != self._told_twice:
            self.begun = True
            yield ReasoningDelta(text)


def _error_in(answer: dict[str, Any]) -> object:
    """The error that an object is or holds, in any of the forms that servers use; a false value if there is none."""
    if answer.get("error"):
        return answer
    if isinstance(base := answer.get("base_resp"), dict) and base.get("status_code"):
        return {"code": base["status_code"], "message": base.get("status_msg")}
    if answer.get("error_code") not in NOTHING or answer.get("error_msg"):
        return answer
    if answer.get("choices"):
        return None
    if "error" in (answer.get("object"), answer.get("type"), answer.get("status")) or answer.get("success") is False:
        return answer
    # Some gateways report progress with a message, too.
    failed = str(answer.get("code") or answer.get("status_code") or 0).lower() not in FINE
    failed = failed or "error" in str(answer.get("type")).lower()
    if isinstance(answer.get("detail"), str | list) or (failed and (answer.get("message") or answer.get("msg"))):
        return answer
    return (errors := answer.get("errors")) and {"error": errors[0] if isinstance(errors, list) else errors}


def _reasoning(value: object) -> str:
    """Reasoning as text, from a string or a list of parts."""
    if isinstance(value, list):
        return "".join(map(_reasoning, value))
    if isinstance(value, dict):
        return _reasoning(value.get("text") or value.get("content") or value.get("summary") or value.get("thinking"))
    return value if isinstance(value, str) else ""


def _joined(pieces: list[Any]) -> str | list[Any]:
    """The pieces of a field as one text; objects that follow one another are joined where they are parts of one."""
    if all(isinstance(piece, str) for piece in pieces):
        return "".join(pieces)
    whole: list[Any] = []
    for piece in pieces:
        last = whole[-1] if whole else None
        if isinstance(last, dict) and isinstance(piece, dict) and _without(last) == _without(piece):
            whole[-1] = last | {
                name: f"{last.get(name) or ''}{value}" for name, value in piece.items() if name in GROWING
            }
        else:
            whole.append(piece)
    return whole


def _without(part: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name not in GROWING}


def _is_text(part: dict[str, Any]) -> bool:
    return part.get("type") in {"text", "output_text"} and isinstance(part.get("text"), str)


def _usage(counted: dict[str, Any]) -> Usage:
    def of(name: str) -> dict[str, Any]:
        return details if isinstance(details := counted.get(name), dict) else {}

    return Usage(
        _count(counted.get("prompt_tokens", counted.get("input_tokens"))),
        _count(counted.get("completion_tokens", counted.get("output_tokens"))),
        # DeepSeek has this count beside the others.
        _count(of("prompt_tokens_details").get("cached_tokens") or counted.get("prompt_cache_hit_tokens")),
        _count(of("completion_tokens_details").get("reasoning_tokens") or counted.get("reasoning_tokens")),
    )


def _count(value: object) -> int:
    """A number of tokens, also from `7.0` or `"7"`; 0 for anything else."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,10}(\.0*)?", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < COUNT_LIMIT:
        return 0
    return int(value)
