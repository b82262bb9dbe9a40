"""The database goes while people are there: whoever asks is told to come back, from the first request on."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection

from accounts import access_tokens
from accounts.models import User
from conversations.models import Conversation
from tests.factories import PASSWORD, UserFactory
from tests.kit.server import ChatServer
from tests.support.visitor import Answer, Visitor

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def gone() -> Iterator[None]:
    """PostgreSQL ends all connections to the database, this process's too, and takes no new one."""
    parameters = connection.get_connection_params()
    options = {name: parameters[name] for name in ("host", "port", "user", "password") if parameters.get(name)}
    name = connection.settings_dict["NAME"]
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined] # PostgreSQL's
    with psycopg.connect(**options, dbname="postgres", autocommit=True) as beside:
        beside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            # Not PostgreSQL's own workers, such as a vacuum's, which not everybody may end.
            beside.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND backend_type = 'client backend'",
                [name],
            )
            yield
        finally:
            beside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def told_to_come_back(answer: Answer) -> None:
    assert answer.status == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0


@pytest.fixture
def boss(server: ChatServer) -> Visitor:
    return Visitor(server, UserFactory.create(is_staff=True, is_superuser=True))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/c/{conversation}/",
        "/search/?q=Paris",
        "/conversations/",
        "/accounts/tokens/",
        "/import/",
        "/c/{conversation}/export/?format=json",
    ],
)
def test_the_first_page_says_so(server: ChatServer, owner: Visitor, conversation: Conversation, path: str) -> None:
    address = path.format(conversation=conversation.pk)
    assert owner.get(address).status == 200
    with gone():
        told_to_come_back(owner.get(address))


@pytest.mark.parametrize("path", ["/admin/", "/admin/conversations/conversation/", "/admin/accounts/user/"])
def test_the_first_page_of_the_admin_says_so(server: ChatServer, boss: Visitor, path: str) -> None:
    assert boss.get(path).status == 200
    with gone():
        told_to_come_back(boss.get(path))


def test_what_was_typed_is_given_back(server: ChatServer, owner: Visitor) -> None:
    assert owner.get("/").status == 200
    with gone():
        answer = owner.post("/", {"message": "A long question"})
        told_to_come_back(answer)
        assert "A long question" in answer.text
        sentence = owner.post("/", {"message": "A long question"}, HX_Request="true")
        told_to_come_back(sentence)
        assert sentence.text.startswith("<p>The database")


def test_signing_in_and_a_form_of_the_account_say_so(server: ChatServer, user: User) -> None:
    stranger = Visitor(server)
    assert stranger.get("/accounts/login/").status == 200
    with gone():
        told_to_come_back(stranger.post("/accounts/login/", {"login": user.email, "password": PASSWORD}))


@pytest.mark.parametrize("path", ["/api/{user}/conversations", "/v1/models"])
def test_a_program_is_told_so(server: ChatServer, user: User, path: str) -> None:
    text = access_tokens.make(user, name="Program")[1]
    address = path.format(user=user.pk)
    assert Visitor(server).get(address, Authorization=f"Bearer {text}").status == 200
    with gone():
        answer = Visitor(server).get(address, Authorization=f"Bearer {text}")
        told_to_come_back(answer)
        assert answer.headers["Content-Type"].startswith("application/")
