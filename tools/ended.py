"""How a call has ended: what the model reads of it, and what staff do."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from tools.results import Result


class End(StrEnum):
    """How a call has ended, as it is counted."""

    DONE = "done"
    """The tool returned, and its result is stored."""
    UNSTORED = "unstored"
    """It ran, and its result could not be stored: the caller has it, and no one else."""
    LOST = "lost"
    """`store` has refused its result."""
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    REFUSED = "refused"
    """It did not run, because no thread was free for it."""
    STOPPED = "stopped"
    """The task that waited for it was cancelled."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of one call."""

    end: End
    words: str
    """What the model reads: the text of the result, or what went wrong."""
    result: Result | None = None
    """What the tool returned; None if it did not, or if that is dropped."""
    detail: str = ""
    """What went wrong, for staff: without anything that people, models or tools said."""
    may_have_happened: bool = False
    """Whether the tool's effects may be there although the call is not done."""
    seconds: float = 0.0
    """Time from the request to the end, with the wait for a thread."""

    @classmethod
    def done(cls, result: Result) -> "Ended":
        """The end of a call whose result is stored."""
        return cls(End.DONE, result.text, result)


class Stopped(asyncio.CancelledError):
    """The task that waited for a call was cancelled. `ended` says whether the tool may have run; it is `done` where its
    result was being stored at that moment."""

    def __init__(self, ended: Ended) -> None:
        super().__init__()
        self.ended = ended
