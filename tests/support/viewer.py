"""A viewer of a reply over HTTP, like a browser."""

import http.client
from collections.abc import Iterable, Iterator
from typing import Self
from urllib.parse import urlsplit

from accounts.models import User
from conversations.models import Message
from tests.kit.server import ChatServer, session_cookie


class Stream:
    """The event stream of a reply over HTTP: `with Stream(...) as viewer:`."""

    def __init__(self, server: ChatServer, user: User, message: Message, *, cookies: str = "") -> None:
        cookie = session_cookie(user, server)
        self._connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
        self._connection.request(
            "GET",
            f"/messages/{message.pk}/stream/",
            headers={"Cookie": f"{cookie['name']}={cookie['value']}; {cookies}", "Accept-Encoding": "gzip"},
        )
        self.response = self._connection.getresponse()

    def events(self) -> Iterator[tuple[str, str]]:
        """Name and data of each event, until the stream ends."""
        yield from parsed(line.decode().removesuffix("\n") for line in self.response)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()
        self._connection.close()

    def last(self) -> tuple[str, str]:
        """Name and data of the last event."""
        *_, last = self.events()
        return last


def parsed(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Name and data of each server-sent event in these lines, which come without their ends."""
    name, data = "", list[str]()
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data.append(line.removeprefix("data: "))
        elif not line and name:
            yield name, "\n".join(data)
            name, data = "", []


def with_end(tail: str, data: str) -> str:
    """The open block that was sent as `tail`, with the new end from an event."""
    kept, _, end = data.partition(" ")
    return tail.encode("utf-16-le")[: 2 * int(kept)].decode("utf-16-le") + end
