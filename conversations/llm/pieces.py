"""Text that grows by pieces."""


class Pieces:
    """A growing text as a list of pieces, so that adding one does not copy the text."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0

    def add(self, piece: str) -> None:
        """Append a piece to the text."""
        self._pieces.append(piece)
        self._size += len(piece)

    @property
    def last(self) -> str:
        """The end of the text, as it came; empty for no text."""
        return self._pieces[-1] if self._pieces else ""

    def __len__(self) -> int:
        return self._size

    def __str__(self) -> str:
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""
