"""A reply as its stream reads it is the one that the ORM reads."""

from typing import Any

import pytest
from django.forms.models import model_to_dict
from django.utils import timezone

from accounts.models import User
from conversations.models import Conversation, Feedback, Message
from conversations.replies import reply_rows
from tests.factories import exchange

ALL = ("conversation", "generation", "feedback")


@pytest.fixture
def reply(user: User) -> Message:
    """An answer with everything that hangs from it."""
    conversation = Conversation.objects.create(user=user, title="Capitals", temperature=0.5)
    answer = exchange(conversation, "Capital of France?", "Paris")
    answer.tool_calls = [{"id": "1", "arguments": {"a": [1, None]}}]
    answer.save()
    exchange(conversation, "And of Italy?", "Rome")
    Feedback.objects.create(message=answer, user=user, rating="up", comment="Right")
    return answer


def everything(message: Message) -> list[Any]:
    parts = [message, *(getattr(message, name, None) for name in ALL)]
    return [message.alternatives, *({} if part is None else model_to_dict(part) | {"pk": part.pk} for part in parts)]


def by_orm(message: Message) -> Message:
    found: Message = Message.objects.select_related(*ALL).with_alternatives().get(pk=message.pk)
    return found


@pytest.mark.parametrize("has_feedback", [True, False])
def test_it_has_all_that_the_orm_reads(reply: Message, *, has_feedback: bool) -> None:
    if not has_feedback:
        reply.feedback.delete()
    found = reply_rows.find(reply.user, reply.pk)
    assert found
    assert everything(found) == everything(by_orm(reply))
    assert hasattr(found, "feedback") == has_feedback
    assert found.created_at == reply.created_at
    assert found.generation.conversation is found.conversation


def test_it_is_found_by_nobody_else_and_not_in_the_trash(reply: Message, stranger: User) -> None:
    user = reply.user
    assert reply_rows.is_owned(user, reply.pk)
    assert not reply_rows.is_owned(stranger, reply.pk)
    assert reply_rows.find(stranger, reply.pk) is None
    question = reply.conversation.messages.get(content="Capital of France?")
    assert not reply_rows.is_owned(user, question.pk)
    Conversation.objects.update(trashed_at=timezone.now())
    assert not reply_rows.is_owned(user, reply.pk)
    assert reply_rows.find(user, reply.pk) is None
