"""Ports of this machine that nobody else gets while a test has a use for them."""

import socket
import sys
from types import TracebackType


class Port:
    """`with Port() as number:`; nobody listens there, until a program of the test does.

    It is bound and never listened at. Linux lets servers, which ask to share an address (`SO_REUSEADDR`), listen there
    all the same, and gives the port to nobody else. Other systems do not: there it is only a port that was free.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._keeper = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._keeper.bind((host, 0))
        self.number: int = self._keeper.getsockname()[1]
        if sys.platform != "linux":
            self.close()

    def close(self) -> None:
        """Give it back."""
        self._keeper.close()

    def __enter__(self) -> int:
        return self.number

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
