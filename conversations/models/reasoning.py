"""The model's reasoning before its answer: collected as it comes, with its duration in words."""

import time
from collections.abc import Callable
from dataclasses import dataclass

LOOK_INTERVAL = 0.25
"""Seconds between two updates of growing reasoning for its viewers: few read it, and nobody reads faster."""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The reasoning so far, as plain text, and its duration in seconds: None while it continues."""

    text: str = ""
    seconds: float | None = None

    @property
    def title(self) -> str:
        """A title in words: that the model is thinking, or for how long it did."""
        if self.seconds is None:
            return "Thinking…"
        if self.seconds < 1:
            return "Thought for less than a second"
        minutes, seconds = divmod(int(self.seconds), 60)
        hours, minutes = divmod(minutes, 60)
        parts = ((hours, "h"), (minutes, "min"), (0 if hours else seconds, "s"))
        return f"Thought for {' '.join(f'{count} {unit}' for count, unit in parts if count)}"


NOTHING = Reasoning()


class ReasoningBuffer:
    """Collects growing reasoning; its pieces are joined only when it is read."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, before: Reasoning = NOTHING) -> None:
        """`before` is the earlier reasoning of a reply that is continued."""
        self._clock = clock
        self._pieces: list[str] = [before.text] if before.text else []
        self.size = len(before.text)
        """Number of characters of the reasoning."""
        self._looked = len(self._pieces)
        self._looked_at = float("-inf")
        self._began: float | None = None
        self._spent = before.seconds or 0.0

    def add(self, text: str) -> Reasoning | None:
        """Add the next piece; returns the reasoning so far when an update is due, else None."""
        now = self._clock()
        if self._began is None:
            # Some models open and close empty reasoning; others reason again between two parts of an answer.
            if not self._pieces and not (text := text.lstrip()):
                return None
            if self._pieces:
                self._pieces.append("\n\n")
            self._began = now
        self._pieces.append(text)
        self.size += len(text)
        return self.snapshot() if now - self._looked_at >= LOOK_INTERVAL else None

    def take(self, text: str, seconds: float) -> Reasoning:
        """Add text that turned out to be reasoning, and its duration. Returns the whole reasoning."""
        self._pieces += ["\n\n"] * bool(self._pieces) + [text.lstrip()]
        self.size += len(text)
        self._spent += seconds
        return Reasoning("".join(self._pieces), self._spent)

    def snapshot(self) -> Reasoning | None:
        """The reasoning so far when it continues and has grown since it was last read, else None."""
        if self._began is None or self._looked == len(self._pieces):
            return None
        self._looked, self._looked_at = len(self._pieces), self._clock()
        return Reasoning("".join(self._pieces))

    def end(self) -> Reasoning | None:
        """The whole reasoning, once the model answers or has ended; None when it was not reasoning."""
        if self._began is None:
            return None
        self._spent += self._clock() - self._began
        self._began = None
        return Reasoning("".join(self._pieces), self._spent)
