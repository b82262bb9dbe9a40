"""The receipt of an erasure: begun before anything is removed, complete when everything is."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from accounts.models import User
from conversations.upkeep.erasure import Receipt


class ReceiptFile:
    """A receipt that is being written.

    Until it is complete, the counts found are in a file beside it, for a repeated run.
    """

    def __init__(self, path: Path) -> None:
        """Prepare the receipt at `path`. Raises `FileExistsError`: receipts are never overwritten."""
        if path.exists():
            raise FileExistsError(f"{path} already exists")
        self._path = path
        self._unfinished = path.with_name(f"{path.name}.unfinished")

    def begin(self, user: User, found: dict[str, int]) -> dict[str, int]:
        """Store the person's counts of rows; returns them merged with those of earlier runs. Raises `OSError`."""
        earlier = self._earlier()
        if earlier.get("key", str(user.pk)) != str(user.pk):
            raise FileExistsError(f"{self._unfinished} belongs to the interrupted removal of {earlier.get('email')}")
        counts: dict[str, int] = earlier.get("found", {})
        # A row found by both runs is counted once; a row that is still there was found before.
        counts = {label: max(counts.get(label, 0), found.get(label, 0)) for label in counts | found}
        write_whole(self._unfinished, {"email": user.email, "key": str(user.pk), "found": counts})
        return counts

    def complete(self, receipt: Receipt) -> None:
        """Write the receipt to its path. Raises `OSError`."""
        write_whole(self._path, asdict(receipt))
        self._unfinished.unlink(missing_ok=True)

    def _earlier(self) -> dict[str, Any]:
        try:
            earlier = json.loads(self._unfinished.read_text())
        except FileNotFoundError:
            return {}
        except ValueError:
            earlier = None
        if not isinstance(earlier, dict):
            raise FileExistsError(f"{self._unfinished} is not an unfinished receipt")
        return earlier


def write_whole(path: Path, document: dict[str, Any]) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(json.dumps(document, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
