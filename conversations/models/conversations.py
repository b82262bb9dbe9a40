"""Conversations. Every ownership rule starts at a queryset's `owned_by`."""

from typing import ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.urls import reverse
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.models import User
from conversations.models.configurations import Configured
from conversations.models.cursors import Cursor

TITLE_MAX_CHARS = 255


class ConversationQuerySet(models.QuerySet["Conversation"]):
    """Conversations of one person or, for staff and retention, of all."""

    def owned_by(self, user: User | AnonymousUser) -> Self:
        """Only this person's; none for somebody who is not signed in."""
        return self.filter(user_id=user.pk) if user.pk else self.none()

    def newest_first(self) -> Self:
        """By the last message's time, latest first."""
        return self.order_by("-updated_at", "-id")

    def after(self, cursor: Cursor | None) -> Self:
        """Those that follow the cursor in `newest_first` order (keyset paging); all without one."""
        if cursor is None:
            return self
        # Written as a range and an exception, so that the index is entered at the cursor.
        return self.filter(updated_at__lte=cursor.time).exclude(updated_at=cursor.time, id__gte=cursor.key)


class Conversation(Configured):
    """A person's chat with the model. Made by its first message, so never empty."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Lists by person enter by the composite indexes below.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="conversations", db_index=False)
    title = models.CharField(max_length=TITLE_MAX_CHARS)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False, help_text="When the last message came.")
    # Its foreign key is a composite one, so that it stays in the conversation: see `migrations`. It needs no
    # index: a deleted message is looked up by its conversation's key.
    current_message = models.ForeignKey(
        "Message",
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        help_text="The end of the chosen branch: what is shown, and what the model sees, leads here.",
    )

    objects: ClassVar = ConversationQuerySet.as_manager()

    class Meta(Configured.Meta):
        indexes: ClassVar = [
            models.Index(fields=("user", "-updated_at", "-id"), name="conversation_user_updated"),
            models.Index(fields=("user", "-created_at"), name="conversation_user_created"),
            models.Index(fields=("updated_at",), name="conversation_updated"),
            models.Index(fields=("created_at",), name="conversation_created"),
        ]
        constraints: ClassVar = [
            *Configured.Meta.constraints,
            # What a message's composite foreign key points at.
            models.UniqueConstraint(fields=("id", "user"), name="conversation_id_and_user"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """The page of this conversation."""
        return reverse("conversation-detail", args=(self.pk,))

    @property
    def cursor(self) -> Cursor:
        """Its place in the list of conversations."""
        return Cursor(self.updated_at, self.pk)
