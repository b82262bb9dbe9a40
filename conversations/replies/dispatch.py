"""The replies of this process: what the rest of the site asks of its reply engine. See `engine.py`."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID
from weakref import WeakKeyDictionary

from chatbot.core.process import Part
from conversations.replies.engine import ReplyEngine


@dataclass(slots=True)
class Engines:
    """The reply engines of the process."""

    of: WeakKeyDictionary[asyncio.AbstractEventLoop, ReplyEngine] = field(default_factory=WeakKeyDictionary)
    """By event loop."""
    serving: asyncio.AbstractEventLoop | None = None
    """The server's loop; None outside a server."""


_engines = Part(Engines)


def engine() -> ReplyEngine:
    """The engine of the running event loop."""
    loop, engines = asyncio.get_running_loop(), _engines().of
    if loop not in engines:
        engines[loop] = ReplyEngine()
    return engines[loop]


def serve() -> None:
    """Let the running event loop be the one in which `start` and `stop` act: the server's."""
    _engines().serving = asyncio.get_running_loop()


def start(message_id: UUID) -> None:
    """Have this process make the reply, whether anybody watches or not. Does not wait for it; for any thread.

    Outside a server nothing happens: the reply's first viewer has it made.
    """
    if serving := _engines().serving:
        serving.call_soon_threadsafe(lambda: engine().join(message_id))


def expect(message_id: UUID) -> None:
    """Say that a turn was stored whose stream will be asked for. For any thread."""
    if serving := _engines().serving:
        serving.call_soon_threadsafe(lambda: engine().expect(message_id))


def counts() -> dict[str, int]:
    """How many replies, and viewers of replies, the process has. For any thread."""
    engines = _engines()
    serving = engines.of.get(engines.serving) if engines.serving else None
    return serving.counts() if serving else {}


def stop(message_id: UUID) -> None:
    """End the reply at once if this process makes it. For any thread."""
    if serving := _engines().serving:
        serving.call_soon_threadsafe(lambda: engine().stop(message_id))
