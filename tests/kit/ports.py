"""Ports of this machine that are reserved for a test."""

import socket
import sys
from types import TracebackType


class Port:
    """A reserved port: `with Port() as number:`; nothing listens on it until the test's program does.

    It is bound without listening. On Linux servers, which ask to share an address (`SO_REUSEADDR`), can still listen on
    it, and the port is assigned to no other program. On other systems it is only a port that was free.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._keeper = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._keeper.bind((host, 0))
        self.number: int = self._keeper.getsockname()[1]
        if sys.platform != "linux":
            self.close()

    def close(self) -> None:
        """Release the reserved port for other programs."""
        self._keeper.close()

    def __enter__(self) -> int:
        return self.number

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
