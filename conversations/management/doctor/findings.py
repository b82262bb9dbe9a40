"""What a check found."""

from dataclasses import dataclass
from enum import StrEnum

NAMED = 5
"""Names that one line tells."""


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and what to do about it."""

    level: Level
    what: str
    advice: str = ""


def ok(what: str) -> Finding:
    """All is well with it."""
    return Finding(Level.OK, what)


def warning(what: str, advice: str) -> Finding:
    """It works, but not as it should."""
    return Finding(Level.WARNING, what, advice)


def failure(what: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(Level.FAILURE, what, advice)


def some(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
