"""What Django and psycopg keep to themselves of connections, sessions and rows."""

from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from psycopg_pool import ConnectionPool

from accounts.models import User
from accounts.sessions import SessionStore
from chatbot.core.database import pool_of, site_pool
from conversations.models import Conversation, Feedback, Message
from conversations.models.related import relate
from tests.contracts.words import relied_upon

DATABASE, SESSIONS = "chatbot/core/database.py", "accounts/sessions.py"
RELATED = "conversations/models/related.py"

pytestmark = pytest.mark.django_db


def test_the_site_knows_its_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.ensure_connection()
    backend: Any = connections[connection.alias]
    with relied_upon("Django keeps its pools in `_connection_pools`, by alias.", DATABASE):
        pool = site_pool()
        assert isinstance(pool, ConnectionPool)
        assert pool is backend.pool
        assert {"pool_size", "pool_available"} <= pool.get_stats().keys()
        monkeypatch.setattr(type(backend), "_connection_pools", {})
        assert site_pool() is None


def test_a_connection_knows_its_pool() -> None:
    connection.ensure_connection()
    with relied_upon("psycopg keeps in a connection's `_pool` the pool that has given it away.", DATABASE):
        given: Any = connection.connection
        assert pool_of(given) is site_pool()


def test_a_key_that_was_made_up_is_not_taken() -> None:
    made_up = "a" * 32
    with relied_upon("A session whose `_session_key` is None gets a key of its own when it is stored.", SESSIONS):
        session = SessionStore(made_up)
        assert session.get("anything") is None
        assert session.session_key is None
        session["anything"] = 1
        session.save()
        assert session.session_key not in {None, made_up}


def test_a_session_is_read_as_django_wrote_it(user: User) -> None:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session.save()
    with relied_upon("`SessionBase` reads a session by `load`, and `decode` reads what `encode` wrote.", SESSIONS):
        assert SessionStore(session.session_key)[SESSION_KEY] == str(user.pk)


def test_a_row_knows_that_it_has_no_other(conversation: Conversation, user: User) -> None:
    message = conversation.messages.get(role="assistant")
    with relied_upon("A related row is looked for in `_state.fields_cache` before the database is asked.", RELATED):
        relate(message, "feedback", None)
        with CaptureQueriesContext(connection) as queries, pytest.raises(Message.feedback.RelatedObjectDoesNotExist):
            _ = message.feedback
        assert not queries.captured_queries
        feedback = Feedback(message=message, user=user, rating="up")
        relate(message, "feedback", feedback)
        assert message.feedback is feedback
