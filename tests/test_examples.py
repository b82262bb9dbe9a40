"""The proxies of docs/examples, as they stand there, before a server: nothing that the doctor would find."""

import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from conversations.management.doctor import proxy
from conversations.management.doctor.findings import Level
from tests.install_programs import program
from tests.server import ROOT, ChatServer

EXAMPLES = ROOT / "docs" / "examples"
NAME = "chat.example.org"
HOST = "localhost"
UPSTREAM = "127.0.0.1:8000"
PAUSE = 1.0
TOKEN = "a token for tests, long enough"
OWN_ID = "0123456789"
START_SECONDS = 20.0

NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    gzip on;
    gzip_types *;
    include {folder}/chatbot.conf;
}}
"""
"""What stands around the example; compression is on, to be seen to leave streams alone."""

CADDY = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"


# The server has a database; the test runner makes one for tests that say so.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def behind(django_db_setup: None) -> Iterator[ChatServer]:
    """The server behind the proxies."""
    with ChatServer(METRICS_TOKEN=TOKEN) as server:
        yield server


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A certificate that this test trusts, and its key."""
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    out = ["-out", str(files[0]), "-keyout", str(files[1])]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *out]
    subprocess.run(command, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    return files


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """The program, once it listens on the port."""
    environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    log = (folder / "log").open("wb")
    with log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process:
        try:
            until = time.monotonic() + START_SECONDS
            while not listens(port):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, (folder / "log").read_text()
            yield
        finally:
            process.terminate()


def listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def replaced(name: str, *changes: tuple[str, str]) -> str:
    """The example with what everybody has to change; each of it is there to be changed."""
    text = (EXAMPLES / name).read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return text


def address(server: ChatServer) -> str:
    return server.url.removeprefix("http://")


Start = Callable[[str, tuple[Path, Path], Path], AbstractContextManager[str]]


@contextmanager
def nginx(
    upstream: str, certificate: tuple[Path, Path], folder: Path, change: tuple[str, str] = (NAME, HOST)
) -> Iterator[str]:
    """nginx with the example, but for a change; its address."""
    port = free_port()
    text = replaced(
        "nginx.conf",
        (UPSTREAM, upstream),
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        (f"/etc/letsencrypt/live/{NAME}/fullchain.pem", str(certificate[0])),
        (f"/etc/letsencrypt/live/{NAME}/privkey.pem", str(certificate[1])),
        change,
    )
    (folder / "chatbot.conf").write_text(text)
    (folder / "nginx.conf").write_text(("user root;" if os.geteuid() == 0 else "") + NGINX.format(folder=folder))
    with running([program("nginx"), "-c", str(folder / "nginx.conf"), "-e", "stderr"], port, folder):
        yield f"https://{HOST}:{port}"


@contextmanager
def caddy(upstream: str, certificate: tuple[Path, Path], folder: Path) -> Iterator[str]:
    """Caddy with the example; its address."""
    port = free_port()
    site = f"https://{HOST}:{port} {{\n\ttls {certificate[0]} {certificate[1]}"
    text = CADDY + replaced("Caddyfile", (UPSTREAM, upstream), (f"{NAME} {{", site))
    (folder / "Caddyfile").write_text(text)
    with running([program("caddy"), "run", "--config", str(folder / "Caddyfile")], port, folder):
        yield f"https://{HOST}:{port}"


@pytest.mark.parametrize("start", [nginx, caddy])
def test_the_doctor_finds_nothing_wrong_with_the_proxy_of_the_documents(
    behind: ChatServer, certificate: tuple[Path, Path], tmp_path: Path, start: Start
) -> None:
    upstream = behind.url.removeprefix("http://")
    with start(upstream, certificate, tmp_path) as url:
        findings = list(proxy.everything(url, pause=PAUSE))
        trusted = ssl.create_default_context(cafile=certificate[0])
        asked = Request(f"{url}/healthz", headers={"X-Request-ID": OWN_ID})
        with urlopen(asked, context=trusted) as answer:
            named = answer.headers["X-Request-ID"]
        asked = Request(f"{url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        with pytest.raises(HTTPError, match="404") as refused:
            urlopen(asked, context=trusted)
        refused.value.close()
    # The proxy's, which is in its log.
    assert named != OWN_ID
    assert len(named) >= 32
    assert [finding.what for finding in findings if finding.level != Level.OK] == []
    assert any("events arrive at once" in finding.what for finding in findings)


def test_two_processes_behind_the_nginx_of_the_documents_share_its_requests_and_one_alone_serves_all(
    behind: ChatServer, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    block = re.compile(r"^ *upstream chatbot \{.*?^ *\}$", re.DOTALL | re.MULTILINE)
    (shown,) = block.findall((ROOT / "docs" / "operations.md").read_text())
    (single,) = block.findall((EXAMPLES / "nginx.conf").read_text().replace(UPSTREAM, address(behind)))
    first, second = re.findall(r"server (\S+);", shown)
    # By this page one tells which of the two has answered.
    with ChatServer(SIGNUP_OPEN="false") as other:
        both = single, shown.replace(first, address(behind)).replace(second, address(other))
        with nginx(address(behind), certificate, tmp_path, change=both) as url:
            trusted = ssl.create_default_context(cafile=certificate[0])

            def pages() -> list[bool]:
                found = []
                for _ in range(4):
                    with urlopen(f"{url}/accounts/signup/", context=trusted) as answer:
                        found.append(b'name="password1"' in answer.read())
                return found

            assert set(pages()) == {True, False}
            assert [finding.what for finding in proxy.everything(url, pause=PAUSE) if finding.level != Level.OK] == []
            other.stop()
            assert set(pages()) == {True}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("X-Forwarded-Proto $scheme", "X-Forwarded-Proto http", "takes the request for http"),
        ("proxy_pass http://chatbot;", "return 301 https://$http_host$request_uri;", "back to https"),
        ("Host $http_host", "Host 127.0.0.1", "sees the host 127.0.0.1"),
        ("gzip off;", "", "compressed on the way"),
        ("proxy_read_timeout 60s;", "proxy_ignore_headers X-Accel-Buffering;", "arrive together"),
    ],
)
def test_what_goes_wrong_when_a_line_of_it_is_changed_is_found(
    behind: ChatServer, certificate: tuple[Path, Path], tmp_path: Path, before: str, after: str, words: str
) -> None:
    upstream = behind.url.removeprefix("http://")
    with nginx(upstream, certificate, tmp_path, change=(before, after)) as url:
        (found,) = [finding for finding in proxy.everything(url, pause=PAUSE) if finding.level == Level.FAILURE]
    assert words in found.what


def test_a_certificate_that_nobody_has_signed_is_found(
    behind: ChatServer, certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with nginx(behind.url.removeprefix("http://"), certificate, tmp_path) as url:
        (found,) = proxy.everything(url, pause=PAUSE)
    assert found.level == Level.FAILURE
    assert "certificate" in found.what.lower()
