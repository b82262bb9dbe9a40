"""Messages of conversations: what people and models write."""

from typing import ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models.expressions import RawSQL
from django.urls import reverse
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.models import User
from conversations.models.conversations import Conversation


class Role(models.TextChoices):
    """Who wrote a message: the person or the model."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


# A constant, because each page and each end of a reply uses it.
ALTERNATIVES = """
    CASE WHEN conversations_message.parent_id IS NULL THEN ARRAY(
        SELECT other.id FROM conversations_message AS other
        WHERE other.conversation_id = conversations_message.conversation_id AND other.parent_id IS NULL
        ORDER BY other.created_at, other.id
    ) ELSE ARRAY(
        SELECT other.id FROM conversations_message AS other
        WHERE other.parent_id = conversations_message.parent_id ORDER BY other.created_at, other.id
    ) END
"""


class MessageQuerySet(models.QuerySet["Message"]):
    """Messages of one person, or of one conversation."""

    def owned_by(self, user: User | AnonymousUser) -> Self:
        """This person's messages outside the trash; none for an anonymous user."""
        return self.filter(user_id=user.pk, conversation__trashed_at=None) if user.pk else self.none()

    def oldest_first(self) -> Self:
        """In the order in which they were written."""
        return self.order_by("created_at", "id")

    def newest_first(self) -> Self:
        """Order by time of creation, latest first."""
        return self.order_by("-created_at", "-id")

    def with_alternatives(self) -> Self:
        """Annotate each with `alternatives`, the keys of all messages at its place, itself included, oldest first."""
        return self.annotate(alternatives=RawSQL(ALTERNATIVES, ()))  # noqa: S611 (nothing in it comes from outside)


class Message(models.Model):
    """A message of a person, or a reply of the assistant."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # The foreign keys to the conversation and to the parent are composite ones: see the second migration. A
    # single-column key beside each would be checked once more for every message that is stored or removed.
    conversation = models.ForeignKey(
        Conversation, models.DO_NOTHING, related_name="messages", db_index=False, db_constraint=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DB_CASCADE,
        related_name="messages",
        db_index=False,
        help_text="The conversation's owner, repeated here for queries over all that a person said.",
    )
    parent = models.ForeignKey(
        "self",
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="children",
        db_constraint=False,
        help_text="The message before it.",
    )
    role = models.CharField(max_length=9, choices=Role)
    content = models.TextField(blank=True)
    tool_calls = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    chosen_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When somebody last chose the branch that ends here."
    )

    alternatives: list[UUID]
    """Keys of the messages at its place, itself included; see `with_alternatives`."""

    objects: ClassVar = MessageQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=("conversation", "created_at", "id"), name="message_conversation_created"),
            models.Index(fields=("user", "-created_at"), name="message_user_created"),
            # By time over all people, for staff and for the dashboard. Keys hold no reliable time: programs may choose
            # them.
            models.Index(fields=("created_at", "id"), name="message_created"),
            models.Index(
                fields=("user", "-created_at"),
                name="message_user_with_calls",
                condition=models.Q(tool_calls__isnull=False),
            ),
            # The alternatives of a first message have no parent by which they could be found.
            models.Index(fields=("conversation",), name="message_first", condition=models.Q(parent=None)),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="message_role_is_known"),
            models.CheckConstraint(
                condition=~models.Q(role="user") | models.Q(content__regex=r"\S"),
                name="user_message_is_not_empty",
            ),
            # The target of the composite foreign keys of replies and generations.
            models.UniqueConstraint(fields=("id", "conversation"), name="message_id_and_conversation"),
        ]
        # Permission to view conversations and messages shows that they exist; only this one shows their text.
        permissions: ClassVar = [("read_message", "Can read what was said")]

    def __str__(self) -> str:
        return f"{self.role} message {self.pk}"

    def get_absolute_url(self) -> str:
        """Address of its conversation's page, at its place."""
        return f"{reverse('conversation-detail', args=(self.conversation_id,))}?at={self.pk}#m-{self.pk}"

    @property
    def text_so_far(self) -> str:
        """What it says; of a reply that is still to come, what the last checkpoint has.

        Causes a query for a reply whose generation was not read with it. For queries of generations it is
        `TEXT_SO_FAR`.
        """
        generation = getattr(self, "generation", None) if self.role == Role.ASSISTANT else None
        return generation.draft if generation and generation.is_open else self.content
