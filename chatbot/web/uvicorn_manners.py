"""What uvicorn does unless it is told otherwise, and this site does not want, however uvicorn was started.

The options `--no-proxy-headers` and `--no-server-header` do the same where they are given; a site that an operator
starts in a way of their own would be open without them. The only module that changes uvicorn's inside, as version 0.51
has it; `tests/contracts/test_uvicorn.py` says in words what another version has changed. To be called while the
application is loaded: uvicorn has made its headers by then, has sent none, and has not wrapped the application.
"""

from collections.abc import Iterable
from typing import Any

import uvicorn.config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

Headers = list[tuple[bytes, bytes]]
ITS_NAME = (b"server", b"uvicorn")


def believing(app: Any, proxies: Iterable[str]) -> ProxyHeadersMiddleware:
    """The application behind uvicorn's own reading of X-Forwarded-For and X-Forwarded-Proto, believed from these."""
    return ProxyHeadersMiddleware(app, trusted_hosts=list(proxies))


def is_believed(believer: ProxyHeadersMiddleware, address: str) -> bool:
    """Whether the one with this address is believed."""
    return address in believer.trusted_hosts


def leave_forwarded_alone() -> None:
    """Have uvicorn leave these headers alone: it believes them from loopback wherever nobody says otherwise."""
    vars(uvicorn.config)[ProxyHeadersMiddleware.__name__] = _left_alone


def hide_name() -> None:
    """Have uvicorn not name itself."""
    vars(uvicorn.config)["Config"].encoded_headers = property(_without_name, _keep)


def _left_alone(app: Any, **_: Any) -> Any:
    return app


def _without_name(config: Any) -> Headers:
    kept: Headers = vars(config).get("encoded_headers", [])
    return [header for header in kept if header != ITS_NAME]


def _keep(config: Any, headers: Headers) -> None:
    vars(config)["encoded_headers"] = headers
