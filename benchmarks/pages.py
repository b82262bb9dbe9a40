"""Pages as a person's browser requests them, each over a new connection."""

import http.client
import time

from benchmarks.people import Person
from benchmarks.site import Server

SECONDS = 30


def page(server: Server, person: Person, path: str, **headers: str) -> bytes:
    """The whole page as it was sent. Raises `RuntimeError` for any other response."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    connection.request("GET", path, headers={"Cookie": person.cookies, **headers})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(f"{path} was answered with {answer.status}")
    return body


def opened(server: Server, person: Person, path: str) -> float:
    """Milliseconds until the whole compressed page has arrived."""
    begun = time.perf_counter()
    page(server, person, path, **{"Accept-Encoding": "gzip"})
    return (time.perf_counter() - begun) * 1_000
