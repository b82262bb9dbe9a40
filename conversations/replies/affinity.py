"""Whether the streams of a process's turns come to it too: then it need not wait for them to begin a reply."""

import time
from uuid import UUID

PATIENCE_SECONDS = 10.0
"""A stream that has not come by then went elsewhere, or nobody wants it."""

LIKELY = 0.9
LOSS, GAIN = 0.2, 0.1
"""How far a turn moves the expectation towards 0 or 1: after one miss it takes seven hits in a row to trust again."""


class Affinity:
    """What a process has seen of its turns' streams lately. With one process, or sticky ones, they come to it."""

    def __init__(self) -> None:
        self._expectation = 1.0
        self._awaited: dict[UUID, float] = {}

    def is_likely(self) -> bool:
        """Whether the stream of the next turn will come here."""
        oldest_first = list(self._awaited.items())
        late = time.monotonic() - PATIENCE_SECONDS
        for message_id, since in oldest_first:
            if since > late:
                break
            del self._awaited[message_id]
            self._expectation -= LOSS * self._expectation
        return self._expectation >= LIKELY

    def stored(self, message_id: UUID) -> None:
        """A turn was stored here whose reply this is."""
        self._awaited[message_id] = time.monotonic()

    def watched(self, message_id: UUID) -> None:
        """Somebody watches the reply here."""
        if self._awaited.pop(message_id, None) is not None:
            self._expectation += GAIN * (1 - self._expectation)
