"""Members of staff who may do more or less."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from conversations.models import Message
from tests.factories import ConversationFactory, UserFactory, exchange

Staff = Callable[..., Client]
VIEW = ("view_conversation", "view_message", "view_generation", "view_feedback")
READ = (*VIEW, "read_message")


def member(*permissions: str, is_superuser: bool = False) -> User:
    """A member of staff with these permissions."""
    person = UserFactory.create(is_staff=True, is_superuser=is_superuser)
    found = Permission.objects.filter(codename__in=permissions)
    assert len(found) == len(set(permissions))
    person.user_permissions.set(found)
    return person


@pytest.fixture
def staff(db: None) -> Staff:
    """Signs in members of staff: `staff("view_conversation")`; without permissions named, a superuser."""

    def sign_in(*permissions: str, as_nobody: bool = False) -> Client:
        client = Client()
        client.force_login(member(*permissions, is_superuser=not permissions and not as_nobody))
        return client

    return sign_in


@pytest.fixture
def answer(db: None) -> Message:
    """The reply in a person's only conversation."""
    return exchange(ConversationFactory.create(title="Capitals"), "Capital of France?", "It is **Paris**.")
