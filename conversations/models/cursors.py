"""Places in lists that are paged by keyset."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Cursor:
    """A place in a list that is ordered by a time and a key; written as `microseconds-key` in addresses."""

    def __init__(self, time: datetime, key: UUID) -> None:
        self.time = time
        self.key = key

    def __str__(self) -> str:
        return f"{(self.time - _EPOCH) // _MICROSECOND}-{self.key.hex}"

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """The cursor that `str()` wrote; None for an empty text. Raises `ValueError` for anything else."""
        if not text:
            return None
        microseconds, _, key = text.partition("-")
        try:
            return cls(_EPOCH + int(microseconds) * _MICROSECOND, UUID(hex=key))
        except OverflowError as error:
            raise ValueError("That is not a cursor.") from error
