"""The place of the embedded PostgreSQL's Unix socket."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from chatbot.embedded.locks import EmbeddedServiceError
from chatbot.embedded.postgres.account import Account

PORT = 5432
"""Number in the socket's name; no TCP port is opened."""

SOCKET_NAME = f".s.PGSQL.{PORT}"

# Below the 104 bytes that macOS allows (Linux: 108), with some reserve.
_LONGEST = 100


def socket_directory(directory: Path, account: Account) -> Path:
    """A folder that only `account` enters: `directory`/socket, or one in the temporary folder when that is too long.

    Raises `EmbeddedServiceError` when a folder of somebody else is in the way.
    """
    chosen = directory / "socket"
    # A comma separates hosts for a client, and folders for the server.
    if len(bytes(chosen / SOCKET_NAME)) > _LONGEST or set(str(chosen)) & set(',"\\'):
        chosen = _temporary(directory, account)
    chosen.mkdir(mode=0o700, exist_ok=True)
    account.takes(chosen)
    return chosen


def _temporary(directory: Path, account: Account) -> Path:
    name = hashlib.sha256(bytes(directory)).hexdigest()[:16]
    chosen = Path(tempfile.gettempdir(), f"chatbot-postgres-{name}")
    chosen.mkdir(mode=0o700, exist_ok=True)
    # Anyone could have created it: a link, or a folder of others, is not to be trusted.
    found = chosen.lstat()
    mine = found.st_uid in {account.uid, os.geteuid()} and stat.S_ISDIR(found.st_mode)
    if not mine or stat.S_IMODE(found.st_mode) != 0o700:
        raise EmbeddedServiceError(f"{chosen}, meant for its socket, is somebody else's. Remove it")
    return chosen
