"""The scripted provider in a thread of the test's own process."""

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.kit.provider.script import Script
from tests.kit.provider.server import Door, Request, Server

TIMEOUT_SECONDS = 60.0


class ScriptedProvider:
    """An OpenAI-compatible server that plays scripts and remembers its requests, for a `with` block.

    `provider.url` is the base URL. Every method may be called from any thread.
    """

    url: str

    def __init__(self) -> None:
        self._server = Server()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="provider", daemon=True)
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(TIMEOUT_SECONDS):
            raise TimeoutError("the scripted provider did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(TIMEOUT_SECONDS)

    @property
    def requests(self) -> list[Request]:
        """All requests so far, oldest first."""
        return list(self._server.requests)

    @property
    def chats(self) -> list[Request]:
        """All requests for chat completions so far, oldest first."""
        return [request for request in self.requests if request.path.endswith("/chat/completions")]

    @property
    def connections(self) -> int:
        """Number of connections that are open."""
        return len(self._server.connections)

    @property
    def models(self) -> list[str]:
        """The names that `GET /v1/models` lists; change the list to change them."""
        return self._server.models

    def play(self, *scripts: Script) -> None:
        """Answer the next requests with these scripts, in order, before any rule."""
        self._server.queue.extend(scripts)

    def when(self, substring: str, script: Script) -> None:
        """Answer with this script when the last user message contains `substring`."""
        self._server.rules.insert(0, (substring, script))

    def always(self, script: Script) -> None:
        """Answer with this script when neither the queue nor a rule applies."""
        self._server.default = lambda _message: script

    def listing(self, script: Script) -> None:
        """Answer requests for the list of models with this script, in place of `models`."""
        self._server.listing = script

    def embeddings(self, script: Script) -> None:
        """Answer requests for embeddings with this script; without one they fail."""
        self._server.embeddings = script

    def answer(self, choose: Callable[[str], Script]) -> None:
        """Answer with the script that `choose` makes of the last user message, when neither queue nor rule applies."""
        self._server.default = choose

    def answer_requests(self, choose: Callable[[Request], Script]) -> None:
        """Answer with the script that `choose` makes of a whole request, when the queue is empty."""
        self._server.of_request = choose

    def gate(self, name: str) -> Door:
        """The gate with this name, for `open()` or `wait_reached()`."""
        return self._server.door(name)

    def wait_for_requests(self, count: int = 1, timeout: float = TIMEOUT_SECONDS) -> list[Request]:
        """Block until `count` requests for chat completions have come; returns them. Raises TimeoutError."""
        with self._server.changed:
            if not self._server.changed.wait_for(lambda: len(self.chats) >= count, timeout):
                raise TimeoutError(f"{len(self.chats)} of {count} requests came within {timeout:g} s")
        return self.chats

    def reset(self) -> None:
        """Remove all scripts, rules, gates and requests; the list of models is the first one again."""
        self._server.reset()

    def wait_for_silence(self, timeout: float = TIMEOUT_SECONDS) -> None:
        """Block until no connection is open. Raises TimeoutError."""
        with self._server.changed:
            if not self._server.changed.wait_for(lambda: not self._server.connections, timeout):
                raise TimeoutError(f"{self.connections} connections are still open after {timeout:g} s")

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self.url = await self._server.start()
        self._ready.set()
        await self._stop.wait()
        await self._server.stop()
