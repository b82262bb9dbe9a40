"""`manage.py doctor URL` finds what is wrong on the way to a site, and says what to do."""

import io
import socket
from collections.abc import Callable, Iterator

import pytest
from django.core.management import call_command
from pytest_django import Settings

from chatbot.web import probe
from conversations.management.doctor import proxy
from tests.kit.provider import ScriptedProvider, reply
from tests.kit.server import ChatServer
from tests.support.findings import PAUSES, only, sought, troubles
from tests.support.proxy import Fault, FaultyProxy


@pytest.fixture(scope="module")
def module_server(django_db_setup: None) -> Iterator[ChatServer]:
    """A server that believes the proxies of these tests."""
    with ChatServer(FORWARDED_ALLOW_IPS="127.0.0.1") as server:
        yield server


def test_a_proxy_that_does_everything_right_is_ok(server: ChatServer) -> None:
    with FaultyProxy(server.url, Fault()) as found:
        assert sought(found.url, lambda troubles: not troubles) == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(buffers=True), "events are held back"),
        (Fault(caches=True), "caches answers"),
        (Fault(answers={"Age": "3"}), "caches answers"),
        (Fault(cuts_silence=True), "it is cut when nothing is sent"),
        (Fault(cuts_talk=True), "although events arrive"),
        (Fault(is_empty=True), "it is empty"),
        (Fault(status=301, answers={"Location": "https://elsewhere.example.org/"}), "redirects to https://elsewhere"),
        (Fault(headers={"X-Forwarded-Proto": "https"}), "sees https, but the request"),
        (Fault(headers={"Host": "localhost"}), "sees the host localhost"),
        (Fault(headers={"Host": "elsewhere.example.org"}), "refuses the host"),
        (Fault(answers={"Content-Encoding": "gzip"}), "compressed"),
        (Fault(status=502), "502"),
        (Fault(status=504), "gave up waiting"),
    ],
)
def test_a_fault_of_the_proxy_is_found(server: ChatServer, fault: Fault, words: str) -> None:
    with FaultyProxy(server.url, fault) as found:
        assert words in "\n".join(sought(found.url, lambda troubles: words in "\n".join(troubles)))


def test_everybody_coming_from_the_proxys_address_is_found(server: ChatServer) -> None:
    heard = proxy.hear(server.url, 0, probe.token())
    heard.arrived["host"] = "chat.example.org"
    assert "share one limit" in troubles(proxy.headers("http://chat.example.org", heard))[0]


def test_a_site_that_is_not_there_is_found(closed_port: int) -> None:
    only(proxy.everything(f"http://127.0.0.1:{closed_port}"), "cannot be reached")


def test_a_site_that_does_not_answer_in_time_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        only(proxy.everything(f"http://127.0.0.1:{mute.getsockname()[1]}"), "does not answer in time")


def test_the_probe_is_no_page_for_others(server: ChatServer, client: Callable[..., object]) -> None:
    from tests.support.visitor import Visitor

    for query in ("", "?token=", "?token=made-up"):
        assert Visitor(server).get(f"/probe{query}").status == 404


def test_the_command_writes_a_line_for_each_check_and_fails_if_one_does(
    server: ChatServer, settings: Settings, provider: ScriptedProvider
) -> None:
    settings.OPENAI_BASE_URL = provider.url
    provider.play(reply("Ok."))
    output = io.StringIO()
    with FaultyProxy(server.url, Fault(buffers=True)) as found, pytest.raises(SystemExit) as ended:
        call_command("doctor", found.url, f"--pause={PAUSES[-1]}", stdout=output)
    assert ended.value.code == 1
    assert "ok       model: " in output.getvalue()
    assert "failure  stream: events are held back" in output.getvalue()
    assert "proxy_buffering off" in output.getvalue()
