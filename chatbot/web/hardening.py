"""What each answer tells browsers to forbid, and what none tells of the server."""

from typing import Any

import uvicorn.config

Headers = list[tuple[bytes, bytes]]

FILE_HEADERS: Headers = [(b"cross-origin-resource-policy", b"same-origin")]
"""Sent with static files: other sites may not show or run them."""

UNUSED = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "usb",
)
"""What no page of this site asks of a browser."""

PAGE_HEADERS: Headers = [
    *FILE_HEADERS,
    (b"permissions-policy", ", ".join(f"{feature}=()" for feature in UNUSED).encode()),
]
"""Sent with all else."""


def hide_server() -> None:
    """Have uvicorn not name itself, however it was started.

    To be called while the application is loaded, when uvicorn has made its headers and not yet sent any.
    """
    vars(uvicorn.config)["Config"].encoded_headers = property(_without_server, _keep)


def _without_server(config: Any) -> Headers:
    kept: Headers = vars(config).get("encoded_headers", [])
    return [(name, value) for name, value in kept if (name, value) != (b"server", b"uvicorn")]


def _keep(config: Any, headers: Headers) -> None:
    vars(config)["encoded_headers"] = headers
