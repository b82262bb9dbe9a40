"""Which models a server lists, as this process heard it last: asked for in the background, remembered for minutes."""

import json
import logging
import re
import threading
import time
from collections.abc import Callable
from itertools import islice
from typing import Any

from chatbot.core.process import Part

logger = logging.getLogger(__name__)

FRESH_SECONDS = 300.0
"""How long a list is not asked for again."""

FAILED_SECONDS = 30.0
"""How long a server that gave no list is not asked again."""

FIRST_WAIT_SECONDS = 2.0
"""How long the first who want a list wait for it; from then on everybody takes what is known."""


NAMES_MAX, NAME_MAX_CHARS = 2_000, 1_000
"""Of a list, so many names are remembered; a longer name is none."""

NOT_FOR_CHAT = re.compile(
    r"embed|whisper|dall-e|image|moderation|transcri|rerank|realtime|audio|speech|video|diffusion|guard|colbert|minilm"
    r"|(?<![a-z])(tts|sora|bge|gte|e5|clip|flux|sdxl|veo|kokoro|parakeet)(?![a-z])",
    re.IGNORECASE,
)
"""Names of models that a provider lists beside those that chat."""

OTHER_KINDS = frozenset(
    {
        *("embedding", "embeddings", "rerank", "reranker", "moderation", "image", "video"),
        *("audio", "speech", "tts", "transcribe", "transcription"),
    }
)
"""Words by which some servers tell the kind of those."""


def for_chat(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the names that are of models which chat, as far as the names tell; all where none is."""
    return tuple(name for name in names if not NOT_FOR_CHAT.search(name)) or names


def names_in(listed: Any) -> tuple[str, ...]:
    """The names in a server's list, decoded or not: OpenAI's form, Ollama's or a bare array. Those last that the server
    itself says do not chat. Raises ValueError for anything else."""
    if isinstance(listed, str | bytes):
        listed = json.loads(listed)
    if isinstance(listed, dict):
        listed = listed.get("data", listed.get("models"))
    if not isinstance(listed, list):
        raise ValueError(f"a list of models that is {type(listed).__name__}")
    offered = [one if isinstance(one, dict) else {"id": one} for one in listed]
    names = [(_is_of_another_kind(one), one.get("id") or one.get("name")) for one in offered]
    sorted_names = (name for _, name in sorted(names, key=lambda one: one[0]) if isinstance(name, str))
    return tuple(islice((name for name in sorted_names if len(name) <= NAME_MAX_CHARS), NAMES_MAX))


def _is_of_another_kind(offered: dict[str, Any]) -> bool:
    kind, abilities, architecture = (offered.get(name) for name in ("type", "capabilities", "architecture"))
    if isinstance(kind, str) and kind.lower() in OTHER_KINDS:
        return True
    if isinstance(abilities, dict) and abilities.get("completion_chat") is False:
        return True
    says = architecture.get("output_modalities") if isinstance(architecture, dict) else None
    return isinstance(says, list) and bool(says) and "text" not in says


class Listing:
    """What is known of one server."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] | None = None
        self.due = 0.0
        """When to ask next (`time.monotonic`)."""
        self.is_asking = False
        self.first_asked: float | None = None
        self.first_answer = threading.Event()


class Listings(dict[str, Listing]):
    """What is known of each server, by its address."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


_listings = Part(Listings)


def known(base_url: str) -> tuple[str, ...] | None:
    """The names that the server at this address lists, in its order, or None before it has told. Asks nobody."""
    listing = _listings().get(base_url)
    return listing.names if listing else None


def listed(base_url: str, ask: Callable[[], tuple[str, ...]]) -> tuple[str, ...] | None:
    """The same; when that is old or nothing, a thread calls `ask` for it. Only the first call ever waits, briefly."""
    now, listings = time.monotonic(), _listings()
    with listings.lock:
        listing = listings.setdefault(base_url, Listing())
        if now >= listing.due and not listing.is_asking:
            listing.is_asking = True
            listing.first_asked = listing.first_asked or now
            threading.Thread(
                target=_hear, args=(listing, ask, listings.lock), name="list of models", daemon=True
            ).start()
    if listing.names is None and listing.first_asked:
        listing.first_answer.wait(max(0.0, listing.first_asked + FIRST_WAIT_SECONDS - now))
    return listing.names


def remember(base_url: str, names: tuple[str, ...]) -> None:
    """Keep what the server has just told."""
    listings = _listings()
    with listings.lock:
        _keep(listings.setdefault(base_url, Listing()), names)


def forget(base_url: str) -> None:
    """The server no longer offers what it listed: the next who wants the list has it asked for again."""
    listings = _listings()
    with listings.lock:
        listings.pop(base_url, None)


def _hear(listing: Listing, ask: Callable[[], tuple[str, ...]], lock: threading.Lock) -> None:
    names: tuple[str, ...] | None = None
    try:
        names = ask()
    except Exception as error:  # Whatever a server does, the picker can do without its list.
        logger.warning("The model provider gave no list of its models: %s", type(error).__name__)
    with lock:
        if names:
            _keep(listing, names)
        else:
            listing.due = time.monotonic() + FAILED_SECONDS
        listing.is_asking = False
        listing.first_answer.set()


def _keep(listing: Listing, names: tuple[str, ...]) -> None:
    listing.names = names
    listing.due = time.monotonic() + FRESH_SECONDS
    listing.first_answer.set()
