"""The page of a conversation whose reply is still to come."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from conversations.models import Generation, Status
from tests.factories import ReplyFactory

pytestmark = pytest.mark.django_db


def test_a_reply_that_ends_while_the_page_is_made_is_still_waited_for(user: User, signed_in: Client) -> None:
    reply = ReplyFactory.create(conversation__user=user, content="", generation__status=Status.PENDING)
    ended = False

    def end_after_reading(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        nonlocal ended
        result = execute(sql, *rest)
        if 'FROM "conversations_message"' in sql and not ended:
            ended = True
            Generation.objects.filter(pk=reply.pk).update(status=Status.COMPLETE)
        return result

    with connection.execute_wrapper(end_after_reading):
        page = signed_in.get(reply.conversation.get_absolute_url()).content.decode()
    assert ended
    assert "data-stream" in page
    assert 'http-equiv="refresh"' in page
