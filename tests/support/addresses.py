"""All addresses of the site, and values for their parameters."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, get_resolver

PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>|\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")

SENSELESS = (
    "99999999999",
    "-1",
    "9" * 5_000,
    "a\0b",
    "\ud800",
    "2026-13-45",
    "NaN",
    "253402300799999999-" + "f" * 32,
)
"""Values that no client of ours sends; a lone surrogate becomes three bytes that are not UTF-8."""


def routes(patterns: list[Any] | None = None, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    """All URL patterns as text, with the pattern objects."""
    for each in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(each.pattern).removeprefix("^").removesuffix("$")
        if isinstance(each, URLPattern):
            yield route, each
        else:
            yield from routes(each.url_patterns, route)


def filled(route: str, *, key: str, other: str) -> str:
    """An address for this pattern: `key` for a UUID parameter, else `other`."""
    return "/" + PARAMETER.sub(lambda found: key if found[1] == "uuid" else other, route).replace("\\", "")


def quoted(text: str) -> str:
    """The text, percent-encoded for an address."""
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))
