"""The receipt of an erasure: begun before anything goes, in its place when all has gone."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from accounts.models import User
from conversations.upkeep.erasure import Receipt


class ReceiptFile:
    """A receipt in the making. Until it is complete, what was found stands beside it, for a run that goes on."""

    def __init__(self, path: Path) -> None:
        """Raises `FileExistsError`: no receipt is written over another one."""
        if path.exists():
            raise FileExistsError(f"{path} already exists")
        self._path = path
        self._unfinished = path.with_name(f"{path.name}.unfinished")

    def begin(self, user: User, found: dict[str, int]) -> dict[str, int]:
        """Keep what there is of the person; that, with what earlier runs had found. Raises `OSError`."""
        earlier = self._earlier()
        if earlier.get("key", str(user.pk)) != str(user.pk):
            raise FileExistsError(f"{self._unfinished} belongs to the interrupted removal of {earlier.get('email')}")
        counts: dict[str, int] = earlier.get("found", {})
        # A row that was there twice is one; one that is there still was found before.
        counts = {label: max(counts.get(label, 0), found.get(label, 0)) for label in counts | found}
        write_whole(self._unfinished, {"email": user.email, "key": str(user.pk), "found": counts})
        return counts

    def complete(self, receipt: Receipt) -> None:
        """Put it in its place. Raises `OSError`."""
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
