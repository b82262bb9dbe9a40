"""What uvicorn does by itself, and how `chatbot/web/uvicorn_manners.py` keeps it from that."""

from typing import Any

import pytest
import uvicorn.config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from chatbot.web import uvicorn_manners
from tests.contracts.words import relied_upon

HOME = "chatbot/web/uvicorn_manners.py"
NAME = (b"server", b"uvicorn")


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Any application."""


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvicorn as it comes, and again after the test."""
    monkeypatch.setattr(uvicorn.config, "ProxyHeadersMiddleware", ProxyHeadersMiddleware)
    monkeypatch.setattr(uvicorn.config.Config, "encoded_headers", None, raising=False)
    monkeypatch.delattr(uvicorn.config.Config, "encoded_headers")


def loaded() -> uvicorn.config.Config:
    """What a server that was started without options would serve."""
    config = uvicorn.config.Config(application, log_config=None)
    config.load()
    return config


@pytest.mark.usefixtures("untouched")
def test_uvicorn_names_itself_unless_it_is_kept_from_it() -> None:
    with relied_upon("uvicorn names itself in `Config.encoded_headers`; else `hide_name` has nothing to do.", HOME):
        assert NAME in loaded().encoded_headers
    with relied_upon("A server's headers are read from `Config.encoded_headers`, which a property can replace.", HOME):
        uvicorn_manners.hide_name()
        assert NAME not in loaded().encoded_headers


@pytest.mark.usefixtures("untouched")
def test_uvicorn_reads_what_proxies_say_unless_it_is_kept_from_it() -> None:
    with relied_upon("uvicorn wraps applications in ProxyHeadersMiddleware; else nothing has to be left alone.", HOME):
        assert isinstance(loaded().loaded_app, ProxyHeadersMiddleware)
    with relied_upon("`uvicorn.config` looks `ProxyHeadersMiddleware` up by its name when it wraps.", HOME):
        uvicorn_manners.leave_forwarded_alone()
        assert not isinstance(loaded().loaded_app, ProxyHeadersMiddleware)


@pytest.mark.parametrize(
    ("proxies", "address", "expected"),
    [
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "192.0.2.1", False),
        (["192.0.2.1"], "192.0.2.1", True),
        (["*"], "192.0.2.1", True),
        ([], "127.0.0.1", False),
        ([], "", False),
    ],
)
def test_a_believer_tells_whom_it_believes(proxies: list[str], address: str, *, expected: bool) -> None:
    with relied_upon("`ProxyHeadersMiddleware.trusted_hosts` says whether an address is in it.", HOME):
        assert uvicorn_manners.is_believed(uvicorn_manners.believing(application, proxies), address) is expected
