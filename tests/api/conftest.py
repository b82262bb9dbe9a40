"""Programs of the person and of a stranger."""

from collections.abc import Iterator

import openai  # noqa: TID251 (the vendor's own client stands before the door that is made for it)
import pytest

from accounts import access_tokens
from accounts.models import User
from tests.api.program import Program
from tests.kit.server import ChatServer


@pytest.fixture
def program(server: ChatServer, user: User) -> Program:
    """A program that speaks for the person."""
    return Program(server, user)


@pytest.fixture
def others_program(server: ChatServer, stranger: User) -> Program:
    """A program that speaks for somebody else."""
    return Program(server, stranger)


@pytest.fixture
def official(server: ChatServer, user: User) -> Iterator[openai.OpenAI]:
    """OpenAI's client with a token of the person's; it asks once."""
    _, token = access_tokens.make(user, name="OpenAI's client")
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=token, max_retries=0, timeout=60) as made:
        yield made
