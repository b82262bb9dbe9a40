"""A tool's docstring, in Google's style: what it says of the tool, and of each argument."""

import inspect
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

SECTION = re.compile(r"(Args|Arguments|Parameters|Returns?|Yields|Raises|Examples?|Notes?):\s*")
OF_ARGUMENTS = frozenset({"Args", "Arguments", "Parameters"})
NOT_FOR_MODELS = frozenset({"Raises"})
ARGUMENT = re.compile(r"(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")


@dataclass(frozen=True, slots=True)
class Described:
    """What a docstring says of a tool and its arguments."""

    description: str
    """The text without its sections on arguments and exceptions."""
    arguments: dict[str, str]
    """Name of an argument -> what is said of it, in one line."""


def described(function: Any) -> Described:
    """What the function's docstring says; empty without one."""
    kept: list[str] = []
    listed: list[str] = []
    section = ""
    for line in inspect.cleandoc(getattr(function, "__doc__", None) or "").splitlines():
        if found := SECTION.fullmatch(line):
            section = found[1]
            if section in OF_ARGUMENTS:
                continue
        elif line[:1].strip():
            # A line at the margin is in no section.
            section = ""
        if section in OF_ARGUMENTS:
            listed.append(line)
        elif section not in NOT_FOR_MODELS:
            kept.append(line.rstrip())
    return Described("\n".join(kept).strip(), _arguments(textwrap.dedent("\n".join(listed)).splitlines()))


def _arguments(lines: Iterable[str]) -> dict[str, str]:
    """What is said of each argument, from the lines of their section."""
    found: dict[str, list[str]] = {}
    words: list[str] = []
    for line in lines:
        if begun := ARGUMENT.fullmatch(line.rstrip()):
            found[begun[1]] = words = [begun[2]]
        else:
            words.append(line.strip())
    return {name: " ".join(filter(None, words)) for name, words in found.items()}
