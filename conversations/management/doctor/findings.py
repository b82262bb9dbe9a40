"""Findings of checks: a level, what was checked, and advice."""

from dataclasses import dataclass
from enum import StrEnum

NAMED = 5
"""Number of names listed in one line."""


class Level(StrEnum):
    """How severe a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: level, what was checked and its state, and advice."""

    level: Level
    what: str
    advice: str = ""


def ok(what: str) -> Finding:
    """A finding without any fault."""
    return Finding(Level.OK, what)


def warning(what: str, advice: str) -> Finding:
    """A finding about something that works, but not as it should."""
    return Finding(Level.WARNING, what, advice)


def failure(what: str, advice: str) -> Finding:
    """A finding about something that does not work."""
    return Finding(Level.FAILURE, what, advice)


def some(names: list[str]) -> str:
    """The first names of a list, and the number of the others."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
