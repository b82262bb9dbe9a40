"""Rows for tests, made by factory-boy."""

from datetime import timedelta
from typing import Any

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from accounts.models import User
from conversations.models import Conversation, Generation, Message, Preset, Role, Status

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
    """What a person said, after what was said last."""

    conversation = factory.SubFactory(ConversationFactory)
    user = factory.SelfAttribute("conversation.user")
    role = Role.USER
    content = factory.Sequence(lambda number: f"Question {number}")
    created_at = factory.LazyFunction(timezone.now)
    parent = factory.LazyAttribute(lambda message: last_said(message.conversation))

    class Meta:
        model = Message

    @classmethod
    def _create(cls, model_class: type[Message], *args: Any, **kwargs: Any) -> Message:
        """Store it, as the end of the chosen branch."""
        message: Message = super()._create(model_class, *args, **kwargs)  # type: ignore[no-untyped-call]
        Conversation.objects.filter(pk=message.conversation_id).update(current_message=message)
        message.conversation.current_message_id = message.pk
        return message


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


class PresetFactory(DjangoModelFactory[Preset]):
    """A person's preset; with `user=None` a shared one."""

    user = factory.SubFactory(UserFactory)
    name = factory.Sequence(lambda number: f"Preset {number}")

    class Meta:
        model = Preset


def exchange(conversation: Conversation, question: str, answer: str) -> Message:
    """A question and its finished answer, the answer returned."""
    MessageFactory.create(conversation=conversation, content=question)
    return ReplyFactory.create(conversation=conversation, content=answer)


def long_chat(conversation: Conversation, count: int) -> list[Message]:
    """So many messages, `Message-00000` and on, a second apart and one after the other; the answers are finished."""
    began = timezone.now() - timedelta(days=1)
    messages: list[Message] = []
    for number in range(count):
        message = Message(
            conversation=conversation,
            user=conversation.user,
            parent=messages[-1] if messages else None,
            role=Role.ASSISTANT if number % 2 else Role.USER,
            content=f"Message-{number:05}",
            created_at=began + timedelta(seconds=number),
        )
        messages.append(message)
    Message.objects.bulk_create(messages)
    Generation.objects.bulk_create(
        Generation(message=message, conversation=conversation, status=Status.COMPLETE) for message in messages[1::2]
    )
    conversation.current_message = messages[-1]
    conversation.save(update_fields=("current_message",))
    return messages


def last_said(conversation: Conversation) -> Message | None:
    """The end of the chosen branch, or None."""
    return Message.objects.filter(
        pk=Conversation.objects.values("current_message").get(pk=conversation.pk)["current_message"]
    ).first()
