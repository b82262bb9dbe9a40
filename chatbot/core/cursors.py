"""Cursors: places in lists that are paged by keyset."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(time: datetime) -> int:
    """The time as whole microseconds since 1970, for addresses and forms."""
    return (time - _EPOCH) // _MICROSECOND


def from_microseconds(text: str) -> datetime:
    """The time that `microseconds` has written. Raises `ValueError`."""
    try:
        return _EPOCH + int(text) * _MICROSECOND
    except OverflowError as error:
        raise ValueError("That is not a time.") from error


class Cursor:
    """A place in a list that is ordered by a time and a key; written as `microseconds-key` in addresses."""

    def __init__(self, time: datetime, key: UUID) -> None:
        self.time = time
        self.key = key

    def __str__(self) -> str:
        return f"{microseconds(self.time)}-{self.key.hex}"

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """The cursor that `str()` has written; None for an empty text. Raises `ValueError` for anything else."""
        if not text:
            return None
        time, _, key = text.partition("-")
        return cls(from_microseconds(time), UUID(hex=key))
