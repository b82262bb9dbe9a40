"""The site below a path of its host, behind the nginx of the documents: every address that it gives is below it."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounts.models import User
from chatbot.core.environment import Environment
from conversations.actions import turns
from tests.kit.provider import ScriptedProvider, reply
from tests.kit.server import ROOT, ChatServer, session_cookie
from tests.support.elements import read
from tests.support.findings import sought
from tests.support.proxies import BELIEVED, EXAMPLES, UPSTREAM, address, certified, nginx
from tests.support.viewer import parsed

BELOW = "/chat"
TOKEN = "a token for tests, long enough"

pytestmark = pytest.mark.django_db(transaction=True)


class RootPathServer(ChatServer):
    """One that is told its path by the server's option."""

    options = ("--root-path", BELOW)


@pytest.fixture(params=["FORCE_SCRIPT_NAME", "--root-path"])
def below(
    request: pytest.FixtureRequest,
    transactional_db: None,
    provider: ScriptedProvider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[str, ChatServer, ssl.SSLContext]]:
    """The site's address below a path, its process, and what trusts its certificate."""
    certificate = certified(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    environment = {"FORCE_SCRIPT_NAME": BELOW} if request.param == "FORCE_SCRIPT_NAME" else {}
    kind = ChatServer if environment else RootPathServer
    common = {"OPENAI_BASE_URL": provider.url, "FORWARDED_ALLOW_IPS": BELIEVED, "METRICS_TOKEN": TOKEN}
    with kind(log=None, **common, **environment) as server:
        text = (EXAMPLES / "nginx.conf").read_text().replace(UPSTREAM, address(server))
        block = text[text.index("    location / {") :]
        passed = block.replace("location / {", f"location {BELOW}/ {{")
        if not environment:
            passed = passed.replace("proxy_pass http://chatbot;", "proxy_pass http://chatbot/;")
        with nginx(address(server), certificate, tmp_path, change=(block, passed)) as url:
            yield url, server, ssl.create_default_context(cafile=certificate[0])


def addresses(html: str) -> Iterator[str]:
    """All addresses of this host that a page names."""
    for element in read(html):
        for name, value in element.attributes.items():
            if name in ("href", "src", "action") or name.startswith(("hx-", "data-")):
                yield from [value] if value.startswith("/") else []


def test_every_page_file_and_stream_is_below_the_path(
    below: tuple[str, ChatServer, ssl.SSLContext], user: User, provider: ScriptedProvider
) -> None:
    url, server, trusted = below
    cookie = session_cookie(user, server)
    provider.always(reply("It is **Paris**."))
    turn = turns.send(user, text="Capital of France?")

    def get(path: str, *, signed_in: bool = True, accept: str = "text/html") -> tuple[int, str, str]:
        headers = {"Accept": accept} | ({"Cookie": f"{cookie['name']}={cookie['value']}"} if signed_in else {})
        try:
            with urlopen(Request(url + path, headers=headers), context=trusted) as answer:
                return answer.status, answer.url, answer.read().decode(errors="replace")
        except HTTPError as error:
            with error:
                return error.code, error.url, error.read().decode()

    status, _, stream = get(f"{BELOW}/messages/{turn.reply.pk}/stream/")
    assert status == 200
    events = list(parsed(stream.splitlines()))
    assert events[-1][0] == "end"
    status, landed, page = get(f"{BELOW}/", signed_in=False)
    assert (status, landed) == (200, f"{url}{BELOW}/accounts/login/?next={BELOW}/")
    pages = [page, *(data for _, data in events)]
    for path in (f"/c/{turn.reply.conversation_id}/", "/", "/accounts/tokens/", "/trash/", "/api/docs"):
        status, _, page = get(BELOW + path)
        assert status == 200, path
        pages.append(page)
    status, _, page = get(f"{BELOW}/c/no-such-page/")
    assert status == 404
    pages.append(page)
    given = {found for page in pages for found in addresses(page)}
    assert {found for found in given if not found.startswith(f"{BELOW}/")} == set()
    files = {found for found in given if "/static/" in found}
    assert {found.rpartition(".")[2] for found in files} >= {"css", "js", "svg"}
    for found in files:
        assert get(found, signed_in=False)[0] == 200, found
    status, _, problem = get(f"{BELOW}/api/{user.pk}/conversations", signed_in=False, accept="application/json")
    assert status == 401
    assert f'"type": "{BELOW}/api/docs' in problem
    # What asks the process itself knows nothing of the path.
    cut_off = isinstance(server, RootPathServer)
    for path in ("/healthz", "/readyz", *([] if cut_off else [f"{BELOW}/healthz"])):
        with urlopen(server.url + path) as answer:
            assert answer.status == 200
    with urlopen(Request(f"{server.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})) as answer:
        assert answer.status == 200
    assert sought(url + BELOW, lambda troubles: not troubles) == []


def test_a_body_that_is_refused_before_django_has_its_addresses_below_the_path(
    below: tuple[str, ChatServer, ssl.SSLContext],
) -> None:
    url, _, trusted = below
    headers = {"Accept": "text/html", "Content-Type": "text/plain; charset=utf-7"}
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(f"{url}{BELOW}/", b"x", headers), context=trusted)
    with refused.value as answer:
        assert answer.code == 400
        page = answer.read().decode()
    assert f'href="{BELOW}/"' in page
    assert 'href="/' not in page.replace(f'href="{BELOW}/', "")


@pytest.mark.parametrize(("value", "path"), [("", ""), ("/", ""), ("/chat", "/chat"), ("/a/chat/", "/a/chat")])
def test_the_path_is_read_with_or_without_its_last_slash(
    monkeypatch: pytest.MonkeyPatch, value: str, path: str
) -> None:
    monkeypatch.setenv("FORCE_SCRIPT_NAME", value)
    assert Environment(ROOT / "missing").path("FORCE_SCRIPT_NAME") == path


@pytest.mark.parametrize("value", ["chat", "https://example.org/chat", "/chat?", "//chat", "/a b"])
def test_what_is_no_path_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FORCE_SCRIPT_NAME", value)
    with pytest.raises(ImproperlyConfigured, match="FORCE_SCRIPT_NAME.*is not a path such as /chat"):
        Environment(ROOT / "missing").path("FORCE_SCRIPT_NAME")
