"""The models that a server lists, as this process last read them: requested in the background, cached for minutes."""

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
"""Seconds for which a list is cached."""

FAILED_SECONDS = 30.0
"""Seconds before a server that gave no list is asked again."""

FIRST_WAIT_SECONDS = 2.0
"""Seconds that the first callers wait for a list; later callers get what is known at once."""


NAMES_MAX, NAME_MAX_CHARS = 2_000, 1_000
"""Names kept of one list, and characters of a name; longer names are dropped."""

NOT_FOR_CHAT = re.compile(
    r"embed|whisper|dall-e|image|moderation|transcri|rerank|realtime|audio|speech|video|diffusion|guard|colbert|minilm"
    r"|(?<![a-z])(tts|sora|bge|gte|e5|clip|flux|sdxl|veo|kokoro|parakeet)(?![a-z])",
    re.IGNORECASE,
)
"""Names of models that providers list and that do not chat."""

OTHER_KINDS = frozenset(
    {
        *("embedding", "embeddings", "rerank", "reranker", "moderation", "image", "video"),
        *("audio", "speech", "tts", "transcribe", "transcription"),
    }
)
"""Kinds by which some servers mark the models that do not chat."""


def for_chat(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names without those that look like models which do not chat; all of them when none would be left."""
    return tuple(name for name in names if not NOT_FOR_CHAT.search(name)) or names


def names_in(listed: Any) -> tuple[str, ...]:
    """The names in a server's list, decoded or not: OpenAI's form, Ollama's or a bare array.

    Models that the server itself marks as not for chat come last. Raises ValueError for any other form.
    """
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
    """The cached list of one server."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] | None = None
        self.due = 0.0
        """Time of the next request (`time.monotonic`)."""
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
    """Names of the models that the server at this address lists, in its order, or None if unknown. Sends no request."""
    listing = _listings().get(base_url)
    return listing.names if listing else None


def listed(base_url: str, ask: Callable[[], tuple[str, ...]]) -> tuple[str, ...] | None:
    """Names of the models that the server lists, in its order, or None if unknown.

    When the list is old or missing, a thread calls `ask` for it. Only the first callers wait, at most
    `FIRST_WAIT_SECONDS`.
    """
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
    """Cache a list that the server has just given."""
    listings = _listings()
    with listings.lock:
        _keep(listings.setdefault(base_url, Listing()), names)


def forget(base_url: str) -> None:
    """Drop the cached list, because the server no longer offers a model in it: the next `listed` asks again."""
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
