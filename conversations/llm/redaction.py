"""Redaction of a provider's words for staff: removes the site's key and the conversation's text."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

DETAIL_MAX_CHARS = 2_000

SAID = frozenset({"arguments", "content", "input", "reasoning_content", "refusal", "text"})
"""Fields of a message, and of what it consists of, that hold what was said."""

REDACTED = "[…]"
GRAM = 12


def redact(text: str, *, key: str, contents: Iterable[str]) -> str:
    """Return `text` without the key, and without passages that repeat what the person or the model wrote.

    A passage of a message is found when 23 or more of its characters occur in `text`; a shorter message when all of it
    does.
    """
    contents = list(contents)
    # A gateway that repeats the request inside its own answer escapes it as JSON does.
    contents += [json.dumps(content)[1:-1] for content in contents]
    text = without_key(text, key)
    grams: dict[str, tuple[str, int]] = {}
    for content in contents:
        short = content.strip()
        if 1 < len(short) < 2 * GRAM:
            text = re.sub(rf"(?<!\w){re.escape(short)}(?!\w)", REDACTED, text)
        for start in range(0, len(content) - GRAM + 1, GRAM):
            grams.setdefault(content[start : start + GRAM], (content, start))
    kept: list[str] = []
    position = 0
    while position < len(text):
        content, start = grams.get(text[position : position + GRAM], ("", 0))
        if not content:
            kept.append(text[position])
            position += 1
            continue
        before = start
        while kept and before and kept[-1] == content[before - 1]:
            kept.pop()
            before -= 1
        while position < len(text) and start < len(content) and text[position] == content[start]:
            position += 1
            start += 1
        kept.append(REDACTED)
    return "".join(kept)[:DETAIL_MAX_CHARS]


def said(fields: Mapping[str, Any]) -> list[str]:
    """The texts in further fields of a message: its parts, its reasoning, and what its tools were called with."""
    found: list[str] = []
    rest: list[tuple[str, Any]] = list(fields.items())
    while rest:
        name, value = rest.pop()
        if isinstance(value, str) and name in SAID:
            found.append(value)
        elif isinstance(value, list):
            rest += [(name, one) for one in value]
        elif isinstance(value, dict):
            rest += value.items()
    return found


def without_key(text: str, key: str) -> str:
    """Return `text` without the key and without anything that looks like one."""
    return re.sub(r"\bsk-[\w*.…-]+", REDACTED, text.replace(key, REDACTED) if key else text)
