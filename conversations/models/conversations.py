"""Conversations. Every ownership rule starts at a queryset's `owned_by`."""

from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from uuid_utils.compat import uuid7

from accounts.models import User
from chatbot.core.cursors import Cursor
from conversations.models.configurations import Configured

TITLE_MAX_CHARS = 255

LISTED = models.Q(archived_at=None, trashed_at=None)
"""Neither put away nor thrown away."""

ARCHIVED = models.Q(archived_at__isnull=False, trashed_at=None)
TRASHED = models.Q(trashed_at__isnull=False)


def trash_expiry() -> datetime:
    """What was thrown away until then is out of its days: it can be neither seen nor restored."""
    return timezone.now() - timedelta(days=settings.CHAT_TRASH_DAYS)


class ConversationQuerySet(models.QuerySet["Conversation"]):
    """Conversations of one person or, for staff and retention, of all."""

    def owned_by(self, user: User | AnonymousUser) -> Self:
        """Only this person's, without the trash; none for somebody who is not signed in."""
        return self.filter(user_id=user.pk, trashed_at=None) if user.pk else self.none()

    def trash_of(self, user: User | AnonymousUser) -> Self:
        """What this person has thrown away and may still restore."""
        return self.filter(user_id=user.pk, trashed_at__gt=trash_expiry()) if user.pk else self.none()

    def thrown_away_by(self, user: User | AnonymousUser) -> Self:
        """All that this person has in the trash, what is past its days included."""
        return self.filter(TRASHED, user_id=user.pk) if user.pk else self.none()

    def past_trash_days(self) -> Self:
        """Anybody's that was thrown away more than `CHAT_TRASH_DAYS` ago, to be removed for ever."""
        return self.filter(trashed_at__lte=trash_expiry())

    def listed(self) -> Self:
        """Those that are neither archived nor in the trash."""
        return self.filter(LISTED)

    def pinned(self) -> Self:
        """The listed ones that stand above the others, the last one pinned first."""
        return self.listed().filter(pinned_at__isnull=False).order_by("-pinned_at", "-id")

    def archived(self) -> Self:
        """Those that were put away."""
        return self.filter(ARCHIVED)

    def newest_first(self) -> Self:
        """By the last message's time, latest first."""
        return self.order_by("-updated_at", "-id")

    def after(self, cursor: Cursor | None, *, by: str = "updated_at") -> Self:
        """Those that follow the cursor, latest first by this time and then the key (keyset paging); all without one."""
        if cursor is None:
            return self
        # Written as a range and an exception, so that the index is entered at the cursor.
        return self.filter(**{f"{by}__lte": cursor.time}).exclude(**{by: cursor.time, "id__gte": cursor.key})


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
    pinned_at = models.DateTimeField(null=True, blank=True, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)
    trashed_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar = ConversationQuerySet.as_manager()

    class Meta(Configured.Meta):
        indexes: ClassVar = [
            models.Index(fields=("user", "-updated_at", "-id"), name="conversation_user_listed", condition=LISTED),
            models.Index(
                fields=("user", "-pinned_at", "-id"),
                name="conversation_user_pinned",
                condition=LISTED & models.Q(pinned_at__isnull=False),
            ),
            models.Index(fields=("user", "-archived_at", "-id"), name="conversation_user_archived", condition=ARCHIVED),
            models.Index(fields=("user", "-trashed_at", "-id"), name="conversation_user_trashed", condition=TRASHED),
            models.Index(fields=("trashed_at",), name="conversation_trashed", condition=TRASHED),
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
        # Not the title, which is made of what was said: this stands in logs, and before staff who may not read.
        return f"conversation {self.pk}"

    def get_absolute_url(self) -> str:
        """The page of this conversation."""
        return self._address

    @cached_property
    def _address(self) -> str:
        # Each answer names it several times.
        return reverse("conversation-detail", args=(self.pk,))

    @property
    def cursor(self) -> Cursor:
        """Its place in the list of conversations."""
        return Cursor(self.updated_at, self.pk)
