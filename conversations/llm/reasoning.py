"""Reasoning inside the text of an answer: separates text between `<think>` and `</think>` from the answer."""

import re
from collections.abc import Iterator
from itertools import islice

from conversations.llm.events import Event, ReasoningDelta, TextDelta, TextWasReasoning

TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "[think]": "[/think]",
    "◁think▷": "◁/think▷",
    "<|channel|>analysis<|message|>": "<|end|><|start|>assistant<|channel|>final<|message|>",
}
"""Opening tag -> closing tag of reasoning, in lower case.

`<think>` is used by DeepSeek, Qwen and most others; `<thinking>` and `<reasoning>` by models that are prompted to;
`<thought>` by Gemini; the next three by Seed, Magistral and Kimi; the last by gpt-oss behind a server that passes its
channels on as text.
"""

OPENING = re.compile("|".join(map(re.escape, TAGS)), re.IGNORECASE)
CLOSING = re.compile("|".join(map(re.escape, TAGS.values())), re.IGNORECASE)
FIRSTS = frozenset("<[◁")
"""First characters of tags that close reasoning."""
LONGEST = max(map(len, TAGS.values()))

FENCE = re.compile(r"^ {0,3}(?:`{3,}|~{3,})", re.MULTILINE)
INDENTED = re.compile(r"(?:^|\n)(?: {4}|\t)[ \t]*\Z")
QUOTES = tuple("`\"'‘’“”„«»")
STOPS = tuple(".,;:!?…)")
MENTIONS_MAX = 8
LOOKS_MAX = 1_000
"""Closing tags looked at in one piece of reasoning; with more than that, the reasoning is about such tags."""


class ThinkSplitter:
    """Separates reasoning from the text of an answer, however both are split into pieces.

    Reasoning comes first, with an opening tag, or without one when the model's template has already written it: then
    only `</think>` ends it. Tags in code and quotes are part of the answer's text.
    """

    def __init__(self) -> None:
        self._held = ""
        self._state = "start"
        self._is_text = False
        self._close = CLOSING
        self._before = ""
        """The last characters of the reasoning that were passed on."""
        self.said: list[str] = []
        """Pieces of the text so far."""
        self._chances = MENTIONS_MAX
        """Closing tags that may still be examined in the text; 0 when the text cannot be reasoning."""

    def passes(self, text: str) -> bool:
        """Whether the next piece is certainly text, as nearly all are; then it need not be fed."""
        if self._held or not self._is_text:
            return False
        if self._chances and (text[-1:] in FIRSTS or "</" in text or "[/" in text or "◁/" in text):
            return False
        self.said.append(text)
        return True

    def expect_none(self) -> None:
        """Treat all text as the answer, because the provider marks the reasoning itself."""
        self._chances = 0

    def feed(self, text: str) -> Iterator[Event]:
        """Yield the events of the next piece; what may be the beginning of a tag is held back."""
        self._held += text
        yield from self._read(is_last=False)

    def close(self) -> Iterator[Event]:
        """Yield what was held back, at the end of the answer."""
        yield from self._read(is_last=True)
        held, self._held = self._held, ""
        if held and self._state == "think":
            yield ReasoningDelta(held)
        elif held and self._state in {"start", "text"}:
            self.said.append(held)
            yield TextDelta(held)

    def _read(self, *, is_last: bool) -> Iterator[Event]:
        state = ""
        # Each step reads the held text, until the state no longer changes.
        while self._held and state != self._state:
            state = self._state
            match state:
                case "start":
                    self._start()
                case "think":
                    yield from self._think(is_last=is_last)
                case "after":
                    self._after()
                case "text":
                    yield from self._text(is_last=is_last)

    def _become(self, state: str) -> None:
        self._state = state
        # Cached, because it is read for each piece.
        self._is_text = state == "text"

    def _start(self) -> None:
        begin = self._held.lstrip()
        low = begin.lower()
        if tag := next((tag for tag in TAGS if low.startswith(tag)), ""):
            if INDENTED.search(self._held[: len(self._held) - len(begin)]):
                self._become("text")
                self.expect_none()
            else:
                self._become("think")
                self._close = re.compile(re.escape(TAGS[tag]), re.IGNORECASE)
                self._held = begin[len(tag) :].lstrip()
        elif self._chances and (tag := next((tag for tag in TAGS.values() if low.startswith(tag)), "")):
            # empty reasoning without an opening tag
            self._become("after")
            self._held = begin[len(tag) :]
        elif not any(tag.startswith(low) for pair in TAGS.items() for tag in pair):
            self._become("text")

    def _think(self, *, is_last: bool) -> Iterator[Event]:
        held = self._held
        tag: re.Match[str] | None = None
        for tag in islice(_found(self._close, held), LOOKS_MAX):
            # Two characters are enough to recognise a quote.
            before = (self._before + held[max(0, tag.start() - 2) : tag.start()])[-2:]
            after = held[tag.end() : tag.end() + 1]
            if not after and not is_last and before.endswith(QUOTES):
                break
            if not _is_quoted(before, after):
                self._become("after")
                self._held = held[tag.end() :]
                if reasoning := held[: tag.start()].rstrip():
                    yield ReasoningDelta(reasoning)
                return
        else:
            tag = None
        keep = len(held) - tag.start() if tag else _half_a_tag(held)
        reasoning, self._held = held[: len(held) - keep], held[len(held) - keep :]
        if reasoning:
            self._before = (self._before + reasoning)[-2:]
            yield ReasoningDelta(reasoning)

    def _after(self) -> None:
        self._held = self._held.lstrip()
        if self._held:
            self._become("text")
            self.expect_none()

    def _text(self, *, is_last: bool) -> Iterator[Event]:
        held = self._held
        tag: re.Match[str] | None = None
        for tag in _found(CLOSING, held) if self._chances else ():
            before, after = "".join([*self.said, held[: tag.start()]]), held[tag.end() : tag.end() + 1]
            if not after and not is_last and before.endswith((*QUOTES, " ")):
                break
            # Between two spaces the tag is a word of the sentence.
            is_mention = _is_quoted(before, after) or (before.endswith(" ") and after == " ")
            if not is_mention and not OPENING.search(before) and not _is_in_code(before):
                self._become("after")
                self._held = held[tag.end() :]
                if tag.start():
                    yield TextDelta(held[: tag.start()])
                if before:
                    yield TextWasReasoning()
                self.said.clear()
                return
            # The text mentions the tag; each further look costs time in proportion to the text's length.
            self._chances -= 1
            if not self._chances:
                break
        else:
            tag = None
        keep = 0
        if self._chances and not is_last:
            keep = len(held) - tag.start() if tag else _half_a_tag(held)
        text, self._held = held[: len(held) - keep], held[len(held) - keep :]
        if text:
            self.said.append(text)
            yield TextDelta(text)


def _found(closing: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Matches of tags that close reasoning.

    Where there are none, looking for the words first takes a tenth of the time.
    """
    small = text.lower()
    if any(tag in small for tag in TAGS.values()):
        yield from closing.finditer(text)


def _half_a_tag(text: str) -> int:
    """Number of last characters that may be the beginning of a tag that closes reasoning."""
    end = text[-LONGEST:].lower()
    for at, character in enumerate(end):
        # A tag may contain its first character more than once.
        if character in FIRSTS and any(tag.startswith(end[at:]) for tag in TAGS.values()):
            return len(end) - at
    return 0


def _is_quoted(before: str, after: str) -> bool:
    """Whether a tag between `before` and the character `after` is in quotes: `"</think>"`."""
    if not after or not before.endswith(QUOTES) or after not in QUOTES:
        return False
    # A quote that follows a word or a stop closes another quotation.
    return not (before[-2:-1].isalnum() or before[-2:-1] in STOPS)


def _is_in_code(before: str) -> bool:
    """Whether the text ends inside a code block or a code span."""
    if len(FENCE.findall(before)) % 2:
        return True
    return before.count("`", before.rfind("\n\n") + 1) % 2 == 1
