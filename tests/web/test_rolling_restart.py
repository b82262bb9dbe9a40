"""The processes behind the proxies of the documents are replaced one after the other, and nobody gets an error."""

import http.client
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pytest

from accounts.models import User
from conversations.actions import turns
from conversations.models import Message
from tests.factories import UserFactory
from tests.kit.provider import END, Gate, ScriptedProvider, Text, stream
from tests.kit.server import ROOT, ChatServer, session_cookie
from tests.support.proxies import BELIEVED, EXAMPLES, address, caddy, certified, nginx
from tests.support.viewer import parsed

STREAMS = 10
PATIENCE_SECONDS = 300.0
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()

pytestmark = pytest.mark.django_db(transaction=True)


class Reader(threading.Thread):
    """Somebody who watches a reply through the proxy, and asks again when the stream ends before the reply."""

    def __init__(self, url: str, trusted: ssl.SSLContext, cookies: str, reply: Message) -> None:
        super().__init__()
        self.ask = connector(url, trusted, cookies)
        self.path = f"/messages/{reply.pk}/stream/"
        self.statuses = list[int]()
        self.seen = threading.Event()
        self.last = ""

    def run(self) -> None:
        """Read until the reply ends."""
        until = time.monotonic() + PATIENCE_SECONDS
        while self.last != "end" and time.monotonic() < until:
            try:
                with self.ask("GET", self.path) as answer:
                    self.statuses.append(answer.status)
                    for name, data in parsed(line.decode().removesuffix("\n") for line in answer):
                        self.last = name
                        if "One" in data:
                            self.seen.set()
            except (http.client.HTTPException, ConnectionError):
                continue


Ask = Callable[..., AbstractContextManager[http.client.HTTPResponse]]


def connector(url: str, trusted: ssl.SSLContext, cookies: str) -> Ask:
    """What sends a request through the proxy, on a connection of its own."""

    @contextmanager
    def ask(method: str, path: str) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPSConnection(urlsplit(url).netloc, context=trusted, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, headers={"Cookie": cookies, "Accept-Encoding": "identity"})
            with connection.getresponse() as answer:
                yield answer
        finally:
            connection.close()

    return ask


class Crowd:
    """People who open pages all the while: `with Crowd(ask) as crowd:`; `crowd.statuses` is what came."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.statuses = list[int]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go)

    def _go(self) -> None:
        while not self._over.is_set():
            with self.ask("GET", "/") as answer:
                answer.read()
                self.statuses.append(answer.status)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@contextmanager
def nginx_before(servers: list[ChatServer], certificate: tuple[Path, Path], folder: Path) -> Iterator[str]:
    """nginx with the upstreams that docs/operations.md shows."""
    block = re.compile(r"^ *upstream chatbot \{.*?^ *\}$", re.DOTALL | re.MULTILINE)
    (shown,), (single,) = block.findall(OPERATIONS), block.findall((EXAMPLES / "nginx.conf").read_text())
    for server, example in zip(servers, re.findall(r"server ([\d.:]+)", shown), strict=True):
        shown = shown.replace(example, address(server))
    with nginx("127.0.0.1:8000", certificate, folder, change=(single, shown)) as url:
        yield url


@contextmanager
def caddy_before(servers: list[ChatServer], certificate: tuple[Path, Path], folder: Path) -> Iterator[str]:
    """Caddy with both servers, and what docs/operations.md says of several."""
    (patience,) = re.findall(r"lb_try_duration \S+", (EXAMPLES / "Caddyfile").read_text())
    assert patience in OPERATIONS
    with caddy(" ".join(address(server) for server in servers), certificate, folder) as url:
        yield url


@pytest.mark.parametrize("before", [nginx_before, caddy_before])
def test_nobody_gets_an_error_while_the_processes_are_replaced(
    provider: ScriptedProvider,
    tmp_path: Path,
    before: Callable[[list[ChatServer], tuple[Path, Path], Path], AbstractContextManager[str]],
) -> None:
    provider.always(stream(Text("One "), Gate("more"), Text("two."), *END))
    certificate = certified(tmp_path)
    trusted = ssl.create_default_context(cafile=certificate[0])
    people: list[User] = [UserFactory.create() for _ in range(STREAMS + 1)]
    with ExitStack() as stack:
        servers = [
            stack.enter_context(ChatServer(OPENAI_BASE_URL=provider.url, FORWARDED_ALLOW_IPS=BELIEVED))
            for _ in range(2)
        ]
        url = stack.enter_context(before(servers, certificate, tmp_path))

        def cookies(user: User) -> str:
            cookie = session_cookie(user, servers[0])
            return f"{cookie['name']}={cookie['value']}"

        replies = [turns.send(user, text="Count").reply for user in people[1:]]
        readers = [Reader(url, trusted, cookies(reply.user), reply) for reply in replies]
        for reader in readers:
            reader.start()
        for reader in readers:
            assert reader.seen.wait(PATIENCE_SECONDS)
        with Crowd(connector(url, trusted, cookies(people[0]))) as crowd:
            for server in servers:
                server.stop()
                server.start()
        provider.gate("more").open()
        for reader in readers:
            reader.join()
    assert set(crowd.statuses) == {200}
    assert {status for reader in readers for status in reader.statuses} == {200}
    assert {reader.last for reader in readers} == {"end"}
    for reply in replies:
        reply.refresh_from_db()
        assert reply.content == "One two."
