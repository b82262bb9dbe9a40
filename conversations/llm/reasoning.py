"""Reasoning inside the text of an answer: what stands between `<think>` and `</think>`, told from what follows."""

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
"""The marks of reasoning's beginning and end, in lower case: of DeepSeek, Qwen and most others; of models told to;
Gemini; Seed; Magistral; Kimi; gpt-oss behind a server that passes its channels on as text."""

OPENING = re.compile("|".join(map(re.escape, TAGS)), re.IGNORECASE)
CLOSING = re.compile("|".join(map(re.escape, TAGS.values())), re.IGNORECASE)
FIRSTS = frozenset("<[◁")
"""What a tag that ends reasoning begins with."""
LONGEST = max(map(len, TAGS.values()))

FENCE = re.compile(r"^ {0,3}(?:`{3,}|~{3,})", re.MULTILINE)
INDENTED = re.compile(r"(?:^|\n)(?: {4}|\t)[ \t]*\Z")
QUOTES = tuple("`\"'‘’“”„«»")
STOPS = tuple(".,;:!?…)")
MENTIONS_MAX = 8
LOOKS_MAX = 1_000
"""Ends of reasoning in one piece of it that are looked at: past so many it is reasoning about them."""


class ThinkSplitter:
    """Tells reasoning from the text of an answer, whatever pieces they come in.

    It stands at the very beginning, marked; or its beginning has no mark, as the model's template has written that
    already, and `</think>` alone ends it. Marks in code and quotes are what the answer is about.
    """

    def __init__(self) -> None:
        self._held = ""
        self._state = "start"
        self._is_text = False
        self._close = CLOSING
        self._before = ""
        """The last characters of the reasoning that were passed on."""
        self.said: list[str] = []
        """The text so far."""
        self._chances = MENTIONS_MAX
        """How many ends of reasoning may still be found in the text; 0 when it is none for sure."""

    def passes(self, text: str) -> bool:
        """Whether the next piece is text for sure, as nearly all is; then it need not be fed."""
        if self._held or not self._is_text:
            return False
        if self._chances and (text[-1:] in FIRSTS or "</" in text or "[/" in text or "◁/" in text):
            return False
        self.said.append(text)
        return True

    def expect_none(self) -> None:
        """The provider tells the reasoning from the text itself: no text turns out to be one."""
        self._chances = 0

    def feed(self, text: str) -> Iterator[Event]:
        """Yield the events of the next piece; what may be half a tag is held back."""
        self._held += text
        yield from self._read(is_last=False)

    def close(self) -> Iterator[Event]:
        """Yield what was held back, now that nothing follows."""
        yield from self._read(is_last=True)
        held, self._held = self._held, ""
        if held and self._state == "think":
            yield ReasoningDelta(held)
        elif held and self._state in {"start", "text"}:
            self.said.append(held)
            yield TextDelta(held)

    def _read(self, *, is_last: bool) -> Iterator[Event]:
        state = ""
        # Each step reads what is held until it leads to no other state.
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
        # Asked for each piece.
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
            # empty reasoning whose beginning had no mark.
            self._become("after")
            self._held = begin[len(tag) :]
        elif not any(tag.startswith(low) for pair in TAGS.items() for tag in pair):
            self._become("text")

    def _think(self, *, is_last: bool) -> Iterator[Event]:
        held = self._held
        tag: re.Match[str] | None = None
        for tag in islice(_found(self._close, held), LOOKS_MAX):
            # Two characters tell a quote.
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
            # Between two words it is a word, too.
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
            # What the text is about: each look costs as much as the text is long.
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
    """The tags that end reasoning. To look for the words first takes a tenth of the time where there is none."""
    small = text.lower()
    if any(tag in small for tag in TAGS.values()):
        yield from closing.finditer(text)


def _half_a_tag(text: str) -> int:
    """How many of the last characters may be the beginning of a tag that ends reasoning."""
    end = text[-LONGEST:].lower()
    for at, character in enumerate(end):
        # A tag may have several signs that tags begin with.
        if character in FIRSTS and any(tag.startswith(end[at:]) for tag in TAGS.values()):
            return len(end) - at
    return 0


def _is_quoted(before: str, after: str) -> bool:
    """Whether what stands between `before` and the character `after` is in quotes: `"</think>"`."""
    if not after or not before.endswith(QUOTES) or after not in QUOTES:
        return False
    # A quote that follows a word or a stop is the end of another.
    return not (before[-2:-1].isalnum() or before[-2:-1] in STOPS)


def _is_in_code(before: str) -> bool:
    """Whether the text ends inside a block or a span of code."""
    if len(FENCE.findall(before)) % 2:
        return True
    return before.count("`", before.rfind("\n\n") + 1) % 2 == 1
