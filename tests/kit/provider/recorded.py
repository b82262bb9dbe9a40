"""Recorded answers of real providers, byte for byte; a file's first line has status and content type."""

from functools import cache
from pathlib import Path

from tests.kit.provider.script import Raw, Script

FOLDER = Path(__file__).parent / "answers"


@cache
def recorded(name: str) -> Script:
    """The recorded answer from the file with this name."""
    head, _, body = (FOLDER / f"{name}.txt").read_bytes().partition(b"\n\n")
    _, status, content_type = head.decode().split()
    return Script((Raw(body),), status=int(status), content_type=content_type)
