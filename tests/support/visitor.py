"""A client that requests pages and files, like a browser without scripts."""

import http.client
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from django.conf import settings

from accounts.models import User
from tests.kit.server import ChatServer, session_cookie

TOKEN = "a" * 32


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's response to a request."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        """The body of the response as text."""
        return self.body.decode()


class Visitor:
    """A person's client, or with `user=None` that of an anonymous user."""

    def __init__(self, server: ChatServer, user: User | None = None) -> None:
        self._host = urlsplit(server.url).netloc
        self._cookies = f"{settings.CSRF_COOKIE_NAME}={TOKEN}"
        if user:
            cookie = session_cookie(user, server)
            self._cookies += f"; {cookie['name']}={cookie['value']}"

    def get(self, path: str, **headers: str) -> Answer:
        """Request a page or a file."""
        return self.ask("GET", path, None, **headers)

    def post(self, path: str, fields: dict[str, str | list[str]] | None = None, **headers: str) -> Answer:
        """Send a form by POST, with a CSRF token."""
        body = urlencode(fields or {}, doseq=True).encode()
        return self.ask("POST", path, body, Content_Type="application/x-www-form-urlencoded", **headers)

    def upload(self, path: str, content: bytes, *, name: str = "file") -> Answer:
        """Send a form with one file."""
        mark = uuid4().hex
        head = (
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="export.json"\r\n'
            "Content-Type: application/json\r\n\r\n"
        )
        body = head.encode() + content + f"\r\n--{mark}--\r\n".encode()
        return self.ask("POST", path, body, Content_Type=f"multipart/form-data; boundary={mark}")

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send a request and read the whole response. Raises `http.client.IncompleteRead` when it is cut off."""
        connection = http.client.HTTPConnection(self._host, timeout=60)
        sent = {"Cookie": self._cookies, "X-CSRFToken": TOKEN}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, sent)
            with connection.getresponse() as response:
                return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
