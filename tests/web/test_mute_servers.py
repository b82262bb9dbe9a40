"""Servers that the site asks, and that accept a connection and never say a word, hold up nobody."""

from collections.abc import Iterator
from threading import Thread

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from accounts.models import User
from tests.kit.server import ChatServer
from tests.support.post_office import PostOffice
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def surrounded() -> Iterator[ChatServer]:
    """A site of two threads, all of whose neighbours are mute."""
    with PostOffice(is_mute=True) as mute:
        url = f"http://127.0.0.1:{mute.port}"
        with ChatServer(
            WEB_THREADS="2",
            EMAIL_URL=mute.url,
            OPENAI_BASE_URL=f"{url}/v1",
            JWT_JWKS_URL=f"{url}/keys",
            JWT_ISSUER="https://id.example.org/",
            JWT_AUDIENCE="chat",
            SENTRY_DSN=f"http://key@127.0.0.1:{mute.port}/1",
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
        ) as server:
            yield server


def test_mute_neighbours_hold_up_nobody_and_not_the_end(surrounded: ChatServer, user: User) -> None:
    stranger, person = Visitor(surrounded), Visitor(surrounded, user)
    key = ec.generate_private_key(ec.SECP256R1())
    claims = {"sub": str(user.pk), "exp": 4_000_000_000, "iss": "https://id.example.org/", "aud": "chat"}
    token = jwt.encode(claims, key, algorithm="ES256", headers={"kid": "unknown"})
    statuses = list[int]()

    def ask(path: str) -> None:
        statuses.append(Visitor(surrounded).get(path, Authorization=f"Bearer {token}").status)

    asking = [Thread(target=ask, args=(f"/api/{user.pk}/conversations",)) for _ in range(8)]
    for thread in asking:
        thread.start()
    for number in range(3):
        assert stranger.post("/accounts/password/reset/", {"email": f"{number}@example.org"}).status == 302
        assert person.get("/").status == 200
        sent = person.post("/", {"message": f"Hello {number}"})
        assert sent.status == 302
    for thread in asking:
        thread.join()
    assert set(statuses) == {503}
    # The end has a time-out of its own.
    surrounded.stop()
