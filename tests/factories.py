"""Rows for tests, made by factory-boy."""

from typing import Any

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from accounts.models import User
from conversations.models import Conversation, Generation, Message, Role, Status

PASSWORD = "correct horse battery staple"


class UserFactory(DjangoModelFactory[User]):
    """A person with an account and the password `PASSWORD`."""

    email = factory.Sequence(lambda number: f"person{number}@example.org")
    password = factory.django.Password(PASSWORD)

    class Meta:
        model = User


class ConversationFactory(DjangoModelFactory[Conversation]):
    """A conversation without messages."""

    user = factory.SubFactory(UserFactory)
    title = factory.Sequence(lambda number: f"Conversation {number}")

    class Meta:
        model = Conversation


class MessageFactory(DjangoModelFactory[Message]):
    """What a person said."""

    conversation = factory.SubFactory(ConversationFactory)
    user = factory.SelfAttribute("conversation.user")
    role = Role.USER
    content = factory.Sequence(lambda number: f"Question {number}")
    created_at = factory.LazyFunction(timezone.now)

    class Meta:
        model = Message


class ReplyFactory(MessageFactory):
    """What the assistant said; `generation__status` and the like describe how it was made."""

    role = Role.ASSISTANT
    content = factory.Sequence(lambda number: f"Answer {number}")

    class Meta:
        model = Message
        skip_postgeneration_save = True

    @factory.post_generation
    def generation(self: Message, create: bool, extracted: Any, **fields: Any) -> None:  # noqa: FBT001 (factory's signature)
        """Store how the reply was made."""
        Generation.objects.create(
            message=self, conversation=self.conversation, **({"status": Status.COMPLETE} | fields)
        )


def exchange(conversation: Conversation, question: str, answer: str) -> Message:
    """A question and its finished answer, the answer returned."""
    asked = MessageFactory.create(conversation=conversation, content=question, parent=last_said(conversation))
    return ReplyFactory.create(conversation=conversation, content=answer, parent=asked)


def last_said(conversation: Conversation) -> Message | None:
    """The newest message, or None."""
    return Message.objects.filter(conversation=conversation).newest_first().first()
