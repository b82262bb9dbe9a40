"""Whether the streams of a process's turns usually come to it, so that it may begin their replies at once."""

import time
from uuid import UUID

PATIENCE_SECONDS = 10.0
"""Seconds after which an expected stream went to another process, or is not wanted."""

LIKELY = 0.9
LOSS, GAIN = 0.2, 0.1
"""How far a turn moves the expectation towards 0 or 1: after one miss it takes seven hits in a row to trust again."""


class Affinity:
    """Recent observations of the streams of a process's turns.

    With one process, or sticky sessions, they come to it.
    """

    def __init__(self) -> None:
        self._expectation = 1.0
        self._awaited: dict[UUID, float] = {}

    def is_likely(self) -> bool:
        """Whether the stream of the next turn will probably come to this process."""
        oldest_first = list(self._awaited.items())
        late = time.monotonic() - PATIENCE_SECONDS
        for message_id, since in oldest_first:
            if since > late:
                break
            del self._awaited[message_id]
            self._expectation -= LOSS * self._expectation
        return self._expectation >= LIKELY

    def stored(self, message_id: UUID) -> None:
        """Note that this process stored a turn with this reply."""
        self._awaited[message_id] = time.monotonic()

    def watched(self, message_id: UUID) -> None:
        """Note that a viewer watches the reply in this process."""
        if self._awaited.pop(message_id, None) is not None:
            self._expectation += GAIN * (1 - self._expectation)
