"""Conversations, and the querysets at which every check of ownership starts."""

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
"""Neither archived nor in the trash."""

ARCHIVED = models.Q(archived_at__isnull=False, trashed_at=None)
TRASHED = models.Q(trashed_at__isnull=False)


def trash_expiry() -> datetime:
    """Time before which conversations in the trash can be neither seen nor restored."""
    return timezone.now() - timedelta(days=settings.CHAT_TRASH_DAYS)


class ConversationQuerySet(models.QuerySet["Conversation"]):
    """Conversations of one person or, for staff and retention, of all."""

    def owned_by(self, user: User | AnonymousUser) -> Self:
        """This person's conversations outside the trash; none for an anonymous user."""
        return self.filter(user_id=user.pk, trashed_at=None) if user.pk else self.none()

    def trash_of(self, user: User | AnonymousUser) -> Self:
        """Conversations in this person's trash that can still be restored."""
        return self.filter(user_id=user.pk, trashed_at__gt=trash_expiry()) if user.pk else self.none()

    def thrown_away_by(self, user: User | AnonymousUser) -> Self:
        """All conversations in this person's trash, including those past their days."""
        return self.filter(TRASHED, user_id=user.pk) if user.pk else self.none()

    def past_trash_days(self) -> Self:
        """Conversations of anybody that are in the trash for over `CHAT_TRASH_DAYS`, to be removed permanently."""
        return self.filter(trashed_at__lte=trash_expiry())

    def listed(self) -> Self:
        """Conversations that are neither archived nor in the trash."""
        return self.filter(LISTED)

    def pinned(self) -> Self:
        """Listed conversations that are pinned, the last one pinned first."""
        return self.listed().filter(pinned_at__isnull=False).order_by("-pinned_at", "-id")

    def archived(self) -> Self:
        """Conversations that are archived, and not in the trash."""
        return self.filter(ARCHIVED)

    def newest_first(self) -> Self:
        """By the last message's time, latest first."""
        return self.order_by("-updated_at", "-id")

    def after(self, cursor: Cursor | None, *, by: str = "updated_at") -> Self:
        """Those after the cursor, latest first by this time and then the key (keyset paging); all without a cursor."""
        if cursor is None:
            return self
        # Written as a range and an exclusion, so that the index scan starts at the cursor.
        return self.filter(**{f"{by}__lte": cursor.time}).exclude(**{by: cursor.time, "id__gte": cursor.key})


class Conversation(Configured):
    """A person's chat with the model, created with its first message and so never empty."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Lists by person use the composite indexes below.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="conversations", db_index=False)
    title = models.CharField(max_length=TITLE_MAX_CHARS)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False, help_text="When the last message came.")
    # The foreign key is a composite one, so that the message belongs to the conversation: see `migrations`. It needs no
    # index: when a message is deleted, the conversation is found by its key.
    current_message = models.ForeignKey(
        "Message",
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        help_text="The last message of the chosen branch, which the page shows and the model sees.",
    )
    tools_allowed = models.JSONField(
        null=True, blank=True, editable=False, help_text="Names of the tools that run here without asking."
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
            # The target of a message's composite foreign key.
            models.UniqueConstraint(fields=("id", "user"), name="conversation_id_and_user"),
        ]

    def __str__(self) -> str:
        # Not the title, which is made of a message: this text is in logs and visible to staff who may not read
        # messages.
        return f"conversation {self.pk}"

    def get_absolute_url(self) -> str:
        """Address of this conversation's page."""
        return self._address

    @cached_property
    def _address(self) -> str:
        # Cached, because each response contains it several times.
        return reverse("conversation-detail", args=(self.pk,))

    @property
    def cursor(self) -> Cursor:
        """Cursor of its place in the list of conversations."""
        return Cursor(self.updated_at, self.pk)
