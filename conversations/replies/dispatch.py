"""The replies of this process: what the rest of the site asks of its reply engine. See `engine.py`.

`start` and `stop` act once the transaction in which they are called has been committed, and not at all when it is
rolled back: what they tell the engine of is then in the database. They never wait and never raise. Outside a server
nothing happens: a reply's first viewer has it made.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import transaction

from chatbot.core.process import Part
from conversations.replies.engine import ReplyEngine


@dataclass(slots=True)
class Engines:
    """The reply engines of this process."""

    of: WeakKeyDictionary[asyncio.AbstractEventLoop, ReplyEngine] = field(default_factory=WeakKeyDictionary)
    """Event loop -> its reply engine."""
    serving: asyncio.AbstractEventLoop | None = None
    """The server's event loop; None outside a server."""


_engines = Part(Engines)


class Audience(Enum):
    """Who will watch a reply that is to come: it says whether this process has to begin it."""

    NOBODY = auto()
    """Nobody who is known: this process makes it."""
    PAGE = auto()
    """A page, whose stream comes to whichever process: this one begins the reply if the stream is likely to come here,
    and else leaves it to the other."""
    CALLER = auto()
    """Whoever asks for it, at once and in this process: watching begins it."""


def engine() -> ReplyEngine:
    """The reply engine of the running event loop."""
    loop, engines = asyncio.get_running_loop(), _engines().of
    if loop not in engines:
        engines[loop] = ReplyEngine()
    return engines[loop]


def serve() -> None:
    """Make the running event loop, the server's, the one in which `start` and `stop` act."""
    _engines().serving = asyncio.get_running_loop()


def start(message_id: UUID, *, audience: Audience = Audience.NOBODY) -> None:
    """Have an open reply made, now or by those who watch it. For any thread."""
    if audience is Audience.NOBODY:
        _tell(lambda engine: engine.start(message_id))
    elif audience is Audience.PAGE:
        _tell(lambda engine: engine.expect(message_id))


def stop(message_id: UUID) -> None:
    """Stop the reply at once if this process makes it. Safe in any thread."""
    _tell(lambda engine: engine.stop(message_id))


def counts() -> dict[str, int]:
    """Numbers of replies and viewers in this process. Safe in any thread."""
    engines = _engines()
    serving = engines.of.get(engines.serving) if engines.serving else None
    return serving.counts() if serving else {}


def _tell(act: Callable[[ReplyEngine], object]) -> None:
    if loop := _engines().serving:
        transaction.on_commit(lambda: loop.call_soon_threadsafe(lambda: act(engine())), robust=True)
