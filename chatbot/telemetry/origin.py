"""Which request the running code works for: its id, and what else its log lines tell.

A context variable carries it: to the thread that serves the request, to the task that makes its reply, from there to
the request to the provider. A reply's generation keeps the id, so that whichever process makes the reply goes by it.
"""

import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar

from uuid_utils import uuid7

HEADER = "X-Request-ID"
NAME = b"x-request-id"
MAX_CHARS = 64

# An e-mail address or a sentence is none: the id goes into logs and to the provider.
WELL_FORMED = re.compile(f"[A-Za-z0-9][A-Za-z0-9._=:/+-]{{7,{MAX_CHARS - 1}}}")

_fields: ContextVar[dict[str, str] | None] = ContextVar("origin", default=None)


def begin(**fields: str) -> dict[str, str]:
    """Let the code that runs from here on, in this context, work for the request of this `request_id`.

    The other fields are added to its log lines. Returns the fields, to which `add` adds.
    """
    _fields.set(fields)
    return fields


def add(**fields: str) -> None:
    """Tell more of the request that the running code works for."""
    if (known := _fields.get()) is not None:
        known |= fields


def fields() -> Mapping[str, str]:
    """What the running code's log lines tell of its request; empty when it works for none."""
    return _fields.get() or {}


def trace() -> dict[str, str]:
    """The trace that the running code is part of, for work that goes on under another `begin`."""
    return {"trace_id": known} if (known := fields().get("trace_id")) else {}


def request_id() -> str:
    """The id of the request that the running code works for, or an empty text."""
    return fields().get("request_id", "")


def id_for(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The id that a proxy gave the request, when it is well formed: 8 to 64 letters, digits and `._=:/+-`. Else a new
    one, whose order is time's."""
    for name, value in headers:
        if name == NAME and (given := id_in(value.decode("latin-1"))):
            return given
    return uuid7().hex


def id_in(text: str) -> str:
    """The text, when it is well formed as an id, else nothing."""
    return text if WELL_FORMED.fullmatch(text) else ""
