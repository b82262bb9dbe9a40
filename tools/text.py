"""Texts of tools and models made storable, and short enough to be shown."""

import re
import unicodedata
from typing import Any

SURROGATE = re.compile("[\ud800-\udfff]")
INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that a line for people does not keep: among them those that change its direction."""
JOINERS = frozenset("\u200c\u200d")
"""Characters of such a category that words of some scripts, and many emoji, consist of."""


def storable(text: str) -> str:
    """The text without NUL and with lone surrogates replaced, as PostgreSQL and UTF-8 can hold it."""
    text = text.replace("\0", "")
    if SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def storable_json(value: Any) -> Any:
    """A JSON value whose texts are storable, and whose numbers JSON has: NaN and infinity become text."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(str(name)): storable_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(inner) for inner in value]
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        return str(value)
    return value


def line(text: str, most: int) -> str:
    """The text as one line of at most `most` characters, without invisible characters that could disguise it."""
    # Each character is looked at: what would be cut anyway is not.
    text = "".join(map(_visible, text[: 4 * most]))
    return shortened(" ".join(text.split()), most)


def _visible(character: str) -> str:
    if character in JOINERS or unicodedata.category(character) not in INVISIBLE:
        return character
    return " " if character.isspace() else ""


def shortened(text: str, most: int) -> str:
    """The text, cut with an ellipsis if it has more than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
