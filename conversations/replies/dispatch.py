"""The replies of this process: what the rest of the site asks of its reply engine. See `engine.py`."""

import asyncio
from uuid import UUID
from weakref import WeakKeyDictionary

from conversations.replies.engine import ReplyEngine

_engines: WeakKeyDictionary[asyncio.AbstractEventLoop, ReplyEngine] = WeakKeyDictionary()
_serving: asyncio.AbstractEventLoop | None = None


def engine() -> ReplyEngine:
    """The engine of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _engines:
        _engines[loop] = ReplyEngine()
    return _engines[loop]


def serve() -> None:
    """Let the running event loop be the one in which `start` and `stop` act: the server's."""
    global _serving
    _serving = asyncio.get_running_loop()


def start(message_id: UUID) -> None:
    """Have this process make the reply, whether anybody watches or not. Does not wait for it; for any thread.

    Outside a server nothing happens: the reply's first viewer has it made.
    """
    if _serving:
        _serving.call_soon_threadsafe(lambda: engine().join(message_id))


def expect(message_id: UUID) -> None:
    """Say that a turn was stored whose stream will be asked for. For any thread."""
    if _serving:
        _serving.call_soon_threadsafe(lambda: engine().expect(message_id))


def counts() -> dict[str, int]:
    """How many replies, and viewers of replies, the process has. For any thread."""
    serving = _engines.get(_serving) if _serving else None
    return serving.counts() if serving else {}


def stop(message_id: UUID) -> None:
    """End the reply at once if this process makes it. For any thread."""
    if _serving:
        _serving.call_soon_threadsafe(lambda: engine().stop(message_id))
