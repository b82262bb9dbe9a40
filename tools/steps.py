"""What a call does, in words for people: a template with the names of arguments in braces."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from string import Formatter
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format

from tools import text as texts

STEP_MAX_CHARS = 200
VALUE_MAX_CHARS = 80
LISTED = 5
"""Number of values of a list that a sentence names."""
MISSING = "…"


@dataclass(frozen=True, slots=True)
class Steps:
    """The sentences of a tool: what a call of it does, and what it has done."""

    doing: str
    done: str

    @classmethod
    def of(cls, name: str, doing: str, done: str) -> "Steps":
        """The sentences that a decorator gives, or those made of the tool's name: `Add task` for `add_task`."""
        doing = doing or titled(name)
        return cls(doing, done or doing)

    def sentence(self, arguments: Mapping[str, Any], *, done: bool) -> str:
        """One line of plain text, of at most `STEP_MAX_CHARS` characters. Never raises."""
        template = self.done if done else self.doing
        try:
            parts = [literal + _shown(arguments, name) for literal, name in parsed(template)]
        except ValueError:
            # A check reports such a template; calls are shown all the same.
            parts = [template]
        return texts.line("".join(parts), STEP_MAX_CHARS)

    def faults(self, names: Collection[str]) -> list[str]:
        """What is wrong with the templates, as sentences; `names` are the tool's arguments."""
        found = []
        for template in dict.fromkeys((self.doing, self.done)):
            try:
                unknown = {name for _, name in parsed(template) if name is not None} - set(names)
            except ValueError as error:
                found.append(f"its sentence {template!r} is no template: {error}")
            else:
                found += [f"its sentence names {{{name}}}, which is not an argument" for name in sorted(unknown)]
        return found


def titled(name: str) -> str:
    """A tool's name in words: `Add task` for `add_task`."""
    words = " ".join(name.replace("_", " ").replace("-", " ").split())
    return words[:1].upper() + words[1:]


def parsed(template: str) -> list[tuple[str, str | None]]:
    """The template's parts: a text, and the argument named after it, or None. Raises `ValueError`."""
    found: list[tuple[str, str | None]] = []
    for literal, name, form, conversion in Formatter().parse(template):
        if name is not None and (not name.isidentifier() or form or conversion):
            raise ValueError("only names of arguments may stand in braces.")
        found.append((literal, name))
    return found


def _shown(arguments: Mapping[str, Any], name: str | None) -> str:
    if name is None:
        return ""
    return in_words(arguments[name]) if name in arguments else MISSING


def in_words(value: Any) -> str:
    """A value as people read it in a sentence, bounded. Never raises."""
    try:
        return _in_words(value) or MISSING
    except Exception:  # The value's own class takes part in this.
        return MISSING


def _in_words(value: Any) -> str:
    if isinstance(value, Enum):
        value = getattr(value, "label", value.value)
    if isinstance(value, datetime):
        local = timezone.localtime(value) if timezone.is_aware(value) else value
        return date_format(local, "j M Y, H:i")
    if isinstance(value, date):
        return date_format(value, "j M Y")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | set | frozenset):
        items = list(value)
        shown = ", ".join(map(in_words, items[:LISTED]))
        return texts.shortened(
            f"{shown} and {len(items) - LISTED} more" if len(items) > LISTED else shown, 2 * VALUE_MAX_CHARS
        )
    return "" if value is None else texts.line(str(value), VALUE_MAX_CHARS)
