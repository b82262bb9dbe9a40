"""The request that the running code works for: its id, and further fields of its log lines.

A context variable carries it to the thread that serves the request, to the task that makes its reply, and to the
request to the provider. A reply's generation stores the id, so that any process that makes the reply uses it.
"""

import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar

from uuid_utils import uuid7

HEADER = "X-Request-ID"
NAME = b"x-request-id"
MAX_CHARS = 64

# Excludes e-mail addresses and sentences: the id goes into logs and to the provider.
WELL_FORMED = re.compile(f"[A-Za-z0-9][A-Za-z0-9._=:/+-]{{7,{MAX_CHARS - 1}}}")

_fields: ContextVar[dict[str, str] | None] = ContextVar("origin", default=None)


def begin(**fields: str) -> dict[str, str]:
    """Set the request that the code in this context works for, with its `request_id`.

    The other fields are added to its log lines. Returns the fields, to which `add` adds.
    """
    _fields.set(fields)
    return fields


def add(**fields: str) -> None:
    """Add fields to the log lines of the current request, if any."""
    if (known := _fields.get()) is not None:
        known |= fields


def fields() -> Mapping[str, str]:
    """Fields of the current request for log lines; empty outside a request."""
    return _fields.get() or {}


def trace() -> dict[str, str]:
    """The trace of the running code, for work that continues under another `begin`."""
    return {"trace_id": known} if (known := fields().get("trace_id")) else {}


def request_id() -> str:
    """Id of the current request, or an empty text."""
    return fields().get("request_id", "")


def id_for(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The id of a request from its headers, or a new one, ordered by time.

    An id from a proxy must be well formed: 8 to 64 letters, digits and `._=:/+-`.
    """
    for name, value in headers:
        if name == NAME and (given := id_in(value.decode("latin-1"))):
            return given
    return uuid7().hex


def id_in(text: str) -> str:
    """The text if it is a well-formed id, else an empty one."""
    return text if WELL_FORMED.fullmatch(text) else ""
