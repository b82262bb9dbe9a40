"""A program that uses the API with a token."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from accounts import jwts
from accounts.models import User
from conversations.models import Message
from tests.kit.server import ChatServer
from tests.support.replying import wait_until


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which is JSON of whatever kind."""
        assert "json" in self.headers["Content-Type"], self.headers["Content-Type"]
        return json.loads(self.body)

    @property
    def problem(self) -> tuple[int, str]:
        """Status and code of a problem."""
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        body = self.json
        assert body["status"] == self.status
        return self.status, body["code"]


@dataclass(frozen=True, slots=True)
class Event:
    """A server-sent event."""

    name: str
    id: int
    data: Any


class Program:
    """Speaks for the person; with `token=""` for nobody. Paths follow `/api/{user_id}/` unless they begin with `/`."""

    def __init__(self, server: ChatServer, user: User, token: str | None = None) -> None:
        self._host = urlsplit(server.url).netloc
        self.user = user
        self.token = jwts.issue(user) if token is None else token

    def wait_for_models(self) -> list[str]:
        """The models' names, once the provider has listed them: a request waits for it for two seconds at most."""
        listed: list[str] = []

        def are_listed() -> bool:
            listed[:] = [model["id"] for model in self.get("/v1/models").json["data"]]
            return bool(listed)

        wait_until(are_listed)
        return listed

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request and read the whole answer."""
        with self._asked(method, path, body, headers) as response:
            return Answer(response.status, response.headers, response.read())

    def get(self, path: str, **headers: str) -> Answer:
        """Read."""
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """Send JSON."""
        return self.ask("POST", path, body, **headers)

    def say(self, message: str, **fields: str) -> Answer:
        """Say something and wait for the whole reply."""
        return self.post("chat", {"message": message} | fields)

    @contextmanager
    def events(self, path: str, body: Any = None, **headers: str) -> Iterator[Iterator[Event]]:
        """The events of a stream, for a `with` block; posted with a body, else asked for."""
        accept = {"Accept": "text/event-stream"} | headers
        with self._asked("GET" if body is None else "POST", path, body, accept) as response:
            assert response.status == 200, response.read()
            assert response.headers["Content-Type"] == "text/event-stream"
            yield parsed(response)

    def begin(self, method: str, path: str, body: Any = None, **headers: str) -> http.client.HTTPConnection:
        """Send a request and leave the answer to whoever closes the connection."""
        connection = http.client.HTTPConnection(self._host, timeout=60)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, path if path.startswith("/") else self.path(path), content, sent)
        return connection

    @contextmanager
    def _asked(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Iterator[http.client.HTTPResponse]:
        connection = self.begin(method, path, body, **headers)
        try:
            with connection.getresponse() as response:
                yield response
        finally:
            connection.close()

    def path(self, path: str) -> str:
        """The address of something that is this person's."""
        return f"/api/{self.user.pk}/{path}"


def parsed(lines: Any) -> Iterator[Event]:
    """The events in these lines."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name and value:
            fields[name] = value
        elif not name and "event" in fields:
            yield Event(fields["event"], int(fields["id"]), json.loads(fields["data"]))
            fields = {}


def said(user: User) -> list[str]:
    """All that the person and the assistant said, oldest first."""
    return list(Message.objects.owned_by(user).oldest_first().values_list("content", flat=True))
