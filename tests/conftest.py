"""Fixtures that every test may use."""

import os
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoDbBlocker

from accounts.models import User
from chatbot.core import process
from conversations.models import Conversation
from tests.factories import ConversationFactory, UserFactory, exchange
from tests.kit.ports import Port
from tests.kit.provider import ScriptedProvider
from tests.kit.server import ChatServer
from tests.support import emptying
from tests.support.visitor import Visitor

# A browser test drives Playwright, whose event loop runs in the test's thread; the ORM must work there all the same.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

emptying.empty_quickly()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The database of this worker, which nobody uses any more when it is dropped."""
    yield
    with django_db_blocker.unblock():
        emptying.end_other_sessions()


@pytest.fixture(autouse=True)
def new_process() -> None:
    """This process knows nothing of the tests before."""
    process.begin()


@pytest.fixture
def user(db: None) -> User:
    """A person with an account."""
    return UserFactory.create()


@pytest.fixture
def stranger(db: None) -> User:
    """Somebody else with an account."""
    return UserFactory.create()


@pytest.fixture
def signed_in(user: User) -> Client:
    """A client in which `user` has signed in."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def other_client(stranger: User) -> Client:
    """A client in which the stranger has signed in."""
    client = Client()
    client.force_login(stranger)
    return client


@pytest.fixture
def conversation(user: User) -> Conversation:
    """A conversation of `user` with one answer."""
    answer = exchange(ConversationFactory.create(user=user, title="Capitals"), "Capital of France?", "It is **Paris**.")
    return answer.conversation


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody listens."""
    with Port() as number:
        yield number


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    """A scripted model provider."""
    with ScriptedProvider() as scripted:
        yield scripted


@pytest.fixture(scope="session")
def worker_provider() -> Iterator[ScriptedProvider]:
    """The provider of this worker's server process."""
    with ScriptedProvider() as scripted:
        yield scripted


@pytest.fixture(scope="session")
def worker_server(django_db_setup: None, worker_provider: ScriptedProvider) -> Iterator[ChatServer]:
    """A server process for all modules that need none of their own: it takes seconds to start."""
    with ChatServer(OPENAI_BASE_URL=worker_provider.url, CHAT_TURNS_PER_MINUTE="1000") as server:
        yield server


@pytest.fixture(scope="module")
def module_provider(worker_provider: ScriptedProvider) -> ScriptedProvider:
    """The provider of a module's server process."""
    worker_provider.reset()
    return worker_provider


@pytest.fixture(scope="module")
def module_server(worker_server: ChatServer) -> ChatServer:
    """The server process of a module's tests; a module may have one with other settings."""
    return worker_server


@pytest.fixture
def server(
    module_server: ChatServer, module_provider: ScriptedProvider, transactional_db: None
) -> Iterator[ChatServer]:
    """The module's server process, on a database that is empty at the test's start."""
    module_provider.reset()
    if not module_server.is_up:
        # A test that ended it has failed; the others need not.
        module_server.start()
    yield module_server
    # The cache's table is no model's: it is not emptied after a test.
    cache.clear()


@pytest.fixture
def owner(server: ChatServer, user: User) -> Visitor:
    """`user`, who asks the server for pages and files."""
    return Visitor(server, user)
