"""The proxies of docs/examples, as they stand there, before a server: nothing that the doctor would find."""

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from conversations.management.doctor import proxy
from conversations.management.doctor.findings import Level
from tests.kit.server import ROOT, ChatServer
from tests.support.findings import sought
from tests.support.proxies import BELIEVED, EXAMPLES, UPSTREAM, Start, address, caddy, certified, nginx

TOKEN = "a token for tests, long enough"
OWN_ID = "0123456789"


# The server has a database; the test runner makes one for tests that say so.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def behind(django_db_setup: None) -> Iterator[ChatServer]:
    """The server behind the proxies."""
    with ChatServer(METRICS_TOKEN=TOKEN, FORWARDED_ALLOW_IPS=BELIEVED) as server:
        yield server


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A certificate that this test trusts, and its key."""
    files = certified(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    return files


@pytest.mark.parametrize("start", [nginx, caddy])
def test_the_doctor_finds_nothing_wrong_with_the_proxy_of_the_documents(
    behind: ChatServer, certificate: tuple[Path, Path], tmp_path: Path, start: Start
) -> None:
    upstream = behind.url.removeprefix("http://")
    with start(upstream, certificate, tmp_path) as url:
        wrong = sought(url, lambda troubles: not troubles)
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
    assert wrong == []


def test_two_processes_behind_the_nginx_of_the_documents_share_its_requests_and_one_alone_serves_all(
    behind: ChatServer, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    block = re.compile(r"^ *upstream chatbot \{.*?^ *\}$", re.DOTALL | re.MULTILINE)
    (shown,) = block.findall((ROOT / "docs" / "operations.md").read_text())
    (single,) = block.findall((EXAMPLES / "nginx.conf").read_text().replace(UPSTREAM, address(behind)))
    first, second = re.findall(r"server (\S+) max_fails=0;", shown)
    # By this page one tells which of the two has answered.
    with ChatServer(SIGNUP_OPEN="false", FORWARDED_ALLOW_IPS=BELIEVED) as other:
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
            assert sought(url, lambda troubles: not troubles) == []
            other.stop()
            assert set(pages()) == {True}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("X-Forwarded-Proto $scheme", "X-Forwarded-Proto http", "sees http, but the request"),
        ("proxy_pass http://chatbot;", "return 301 https://$http_host$request_uri;", "redirects every https request"),
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
        (found,) = sought(url, lambda troubles: len(troubles) == 1 and words in troubles[0])
    assert words in found


def test_a_certificate_that_nobody_has_signed_is_found(
    behind: ChatServer, certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with nginx(behind.url.removeprefix("http://"), certificate, tmp_path) as url:
        (found,) = proxy.everything(url, pause=1)
    assert found.level == Level.FAILURE
    assert "certificate" in found.what.lower()
