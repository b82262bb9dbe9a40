"""A proxy is believed where FORWARDED_ALLOW_IPS names it, and nowhere else, however the server was started."""

import http.client
import json
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from chatbot.core.environment import Environment
from chatbot.web import probe
from conversations.management.doctor import proxy, site
from tests.kit.server import ROOT, ChatServer
from tests.management.test_runserver import RunServer
from tests.support.findings import only, troubles
from tests.support.proxy import Fault, FaultyProxy
from tests.support.visitor import Visitor

CLIENT = "203.0.113.7"
FORWARDED = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https"}

pytestmark = pytest.mark.django_db(transaction=True)


def arrived(server: ChatServer, **headers: str) -> dict[str, object]:
    """A request as the site sees it."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    connection.request("GET", f"/probe?{urlencode({'token': probe.token()})}", headers=FORWARDED | headers)
    with connection.getresponse() as answer:
        seen: dict[str, object] = json.loads(answer.readline().removeprefix(b"data: "))
    connection.close()
    return seen


@pytest.fixture(params=[ChatServer, RunServer])
def kind(request: pytest.FixtureRequest, transactional_db: None) -> type[ChatServer]:
    """The server of production, and that of `make run`."""
    chosen: type[ChatServer] = request.param
    return chosen


def test_nobody_is_believed_unless_it_is_said(kind: type[ChatServer], tmp_path: Path) -> None:
    log = tmp_path / "log"
    with kind(log=log) as server:
        seen = arrived(server)
        again = arrived(server)
    assert (seen["client"], seen["scheme"], seen["disbelieved"]) == ("127.0.0.1", "http", "127.0.0.1")
    assert again["client"] == "127.0.0.1"
    if kind is ChatServer:
        told = [line for line in log.read_text().splitlines() if "is not trusted" in line]
        assert len(told) == 1
        assert "FORWARDED_ALLOW_IPS=127.0.0.1" in told[0]


@pytest.mark.parametrize("allowed", ["127.0.0.1", "10.0.0.1, 127.0.0.0/8", "*"])
def test_who_is_named_is_believed(transactional_db: None, allowed: str) -> None:
    with ChatServer(FORWARDED_ALLOW_IPS=allowed) as server:
        seen = arrived(server)
    assert (seen["client"], seen["scheme"], seen["disbelieved"]) == (CLIENT, "https", None)


def test_an_empty_list_and_another_address_believe_nobody(transactional_db: None) -> None:
    for allowed in ("", "10.0.0.1"):
        with ChatServer(FORWARDED_ALLOW_IPS=allowed) as server:
            assert arrived(server)["client"] == "127.0.0.1"


def test_a_proxy_named_in_an_env_file_counts_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Reading the file sets the variable, which is undone with this.
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "")
    monkeypatch.delenv("FORWARDED_ALLOW_IPS")
    file = tmp_path / "env"
    file.write_text("FORWARDED_ALLOW_IPS=127.0.0.1\n")
    assert Environment(file).networks("FORWARDED_ALLOW_IPS") == ["127.0.0.1"]


@pytest.mark.parametrize("value", ["proxy", "10.0.0.1/8", "127.0.0.1;10.0.0.1", "256.1.1.1"])
def test_what_is_no_address_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", value)
    with pytest.raises(ImproperlyConfigured, match=r"FORWARDED_ALLOW_IPS.*10\.0\.0\.0/8"):
        Environment(ROOT / "missing").networks("FORWARDED_ALLOW_IPS")


def test_a_redirect_that_never_ends_has_its_reason_in_the_log_and_in_the_doctor(
    transactional_db: None, tmp_path: Path, settings: Settings
) -> None:
    settings.HTTPS_ONLY = True
    log = tmp_path / "log"
    with ChatServer(log=log, HTTPS_ONLY="true") as server, FaultyProxy(server.url, Fault(headers=FORWARDED)) as before:
        assert Visitor(server).get("/accounts/login/", X_Forwarded_Proto="https").status == 301
        found = troubles(proxy.everything(before.url, pause=1))
    assert any("the proxy at 127.0.0.1 is not trusted" in trouble for trouble in found)
    assert any("redirected endlessly" in trouble for trouble in found)
    assert "No proxy is trusted, and HTTPS_ONLY is on" in log.read_text()
    only(site.proxies(), "none is trusted")
    settings.FORWARDED_ALLOW_IPS = ["127.0.0.1"]
    assert troubles(site.proxies()) == []


def test_the_process_says_at_its_start_whom_it_believes(transactional_db: None, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with ChatServer(log=log, FORWARDED_ALLOW_IPS="127.0.0.1"):
        pass
    assert "Trusted proxies: 127.0.0.1." in log.read_text()


@pytest.mark.parametrize(
    "name", ["README.md", "docs/operations.md", "docs/examples/nginx.conf", "docs/examples/Caddyfile"]
)
def test_each_document_that_shows_a_proxy_has_it_believed(name: str) -> None:
    assert "FORWARDED_ALLOW_IPS" in (ROOT / name).read_text()
