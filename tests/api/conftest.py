"""Programs of the person and of a stranger."""

import pytest

from accounts.models import User
from tests.api.program import Program
from tests.server import ChatServer


@pytest.fixture
def program(server: ChatServer, user: User) -> Program:
    """A program that speaks for the person."""
    return Program(server, user)


@pytest.fixture
def others_program(server: ChatServer, stranger: User) -> Program:
    """A program that speaks for somebody else."""
    return Program(server, stranger)
