"""The tool calls of a reply in Markdown: what was done in words, its end, and the call with its result as code."""

import re
from collections.abc import Iterator, Sequence

from conversations.models.step_words import state_of, words_of
from conversations.models.steps import Step

RESULT_MAX_CHARS, ARGUMENTS_MAX_CHARS = 1_000, 300
"""Characters of a result and of arguments; an export as JSON has more of them."""

SIGNS = re.compile(r"([\\`*_\[\]<>#|~&])")
LINE_END = re.compile(r"\r\n|\r|\n")


def paragraphs(steps: Sequence[Step]) -> Iterator[str]:
    """One quoted block for each call. Nothing that a model or a tool said is read as Markdown."""
    for step in steps:
        code = [f"{step.tool}({_bounded(step.arguments, ARGUMENTS_MAX_CHARS)})"]
        if said := step.error or _result(step):
            code.append(said)
        lines = [f"**{_plain(words_of(step))}** · {_plain(state_of(step))}", ""]
        lines += [f"    {line}" for text in code for line in LINE_END.split(text)]
        yield "\n".join(f"> {line}".rstrip() for line in lines)


def _result(step: Step) -> str:
    result = step.result or {}
    text = str(result.get("text") or "")
    length = int(result.get("length") or len(text))
    return _bounded(text, RESULT_MAX_CHARS, length=length)


def _bounded(text: str, most: int, *, length: int = 0) -> str:
    """The text, or its beginning and how many characters it has."""
    length = max(length, len(text))
    return text if length <= most else f"{text[:most]}… ({length:,} characters in all)"


def _plain(text: str) -> str:
    """The text with a backslash before each sign of Markdown."""
    return SIGNS.sub(r"\\\1", text)
