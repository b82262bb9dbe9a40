"""What is said, and how each reply was made. Every ownership rule starts at a queryset's `owned_by`."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models.expressions import RawSQL
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from uuid_utils.compat import uuid7

from accounts.models import User
from conversations.thoughts import Thought

TITLE_MAX_CHARS = 255
HEARTBEAT_TIMEOUT = timedelta(seconds=15)
"""A reply whose maker gave no sign of life for this long may be made again by another process."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Role(models.TextChoices):
    """Who said a message."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


class Status(models.TextChoices):
    """How far a generation is."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


OPEN = [Status.PENDING.value, Status.RUNNING.value, Status.INTERRUPTED.value]
"""The states in which a reply is still to come. An interrupted one was handed back and waits for the next viewer."""


class Cursor:
    """A place in a list that is ordered by a time and a key; written as `microseconds-key` in addresses."""

    def __init__(self, time: datetime, key: UUID) -> None:
        self.time = time
        self.key = key

    def __str__(self) -> str:
        return f"{(self.time - _EPOCH) // _MICROSECOND}-{self.key.hex}"

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """The cursor that `str()` wrote; None for an empty text. Raises `ValueError` for anything else."""
        if not text:
            return None
        microseconds, _, key = text.partition("-")
        try:
            return cls(_EPOCH + int(microseconds) * _MICROSECOND, UUID(hex=key))
        except OverflowError as error:
            raise ValueError("That is not a cursor.") from error


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


class Conversation(models.Model):
    """A person's chat with the model. Made by its first message, so never empty."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Lists by person enter by the composite indexes below.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="conversations", db_index=False)
    title = models.CharField(max_length=TITLE_MAX_CHARS)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False, help_text="When the last message came.")

    objects: ClassVar = ConversationQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=("user", "-updated_at", "-id"), name="conversation_user_updated"),
            models.Index(fields=("user", "-created_at"), name="conversation_user_created"),
            models.Index(fields=("updated_at",), name="conversation_updated"),
            models.Index(fields=("created_at",), name="conversation_created"),
        ]
        constraints: ClassVar = [
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


class MessageQuerySet(models.QuerySet["Message"]):
    """Messages of one person, or of one conversation."""

    def owned_by(self, user: User | AnonymousUser) -> Self:
        """Only this person's; none for somebody who is not signed in."""
        return self.filter(user_id=user.pk) if user.pk else self.none()

    def oldest_first(self) -> Self:
        """In the order in which they were said."""
        return self.order_by("created_at", "id")

    def newest_first(self) -> Self:
        """The reverse of `oldest_first`."""
        return self.order_by("-created_at", "-id")

    def before(self, cursor: Cursor | None) -> Self:
        """Those that were said before the cursor (keyset paging); all without one."""
        if cursor is None:
            return self
        return self.filter(created_at__lte=cursor.time).exclude(created_at=cursor.time, id__gte=cursor.key)


class Message(models.Model):
    """What one side said."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(Conversation, models.DB_CASCADE, related_name="messages", db_index=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DB_CASCADE,
        related_name="messages",
        db_index=False,
        help_text="The conversation's owner, repeated here for queries over all that a person said.",
    )
    parent = models.ForeignKey(
        "self", models.DB_CASCADE, null=True, blank=True, related_name="children", help_text="The message before it."
    )
    role = models.CharField(max_length=9, choices=Role)
    content = models.TextField(blank=True)
    tool_calls = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    html: SafeString
    """A reply's content as the page shows it; the page sets it before it is rendered."""
    thought: Thought
    """What the model thought before the reply; the page sets it too."""

    objects: ClassVar = MessageQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=("conversation", "created_at", "id"), name="message_conversation_created"),
            models.Index(fields=("user", "-created_at"), name="message_user_created"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="message_role_is_known"),
            models.CheckConstraint(
                condition=~models.Q(role="user") | models.Q(content__regex=r"\S"),
                name="user_message_is_not_empty",
            ),
            # What the composite foreign keys of replies and generations point at.
            models.UniqueConstraint(fields=("id", "conversation"), name="message_id_and_conversation"),
        ]

    def __str__(self) -> str:
        return f"{self.role} message {self.pk}"

    @property
    def cursor(self) -> Cursor:
        """Its place in the conversation."""
        return Cursor(self.created_at, self.pk)


NO_MAKER = f"""(
    status IN ('{Status.PENDING}', '{Status.INTERRUPTED}')
    OR status = '{Status.RUNNING}'
        AND greatest(heartbeat_at, pg_postmaster_start_time())
            < statement_timestamp() - interval '{HEARTBEAT_TIMEOUT.seconds} seconds'
)"""
"""The condition of an open generation that no process makes: waiting, handed back, or without a sign of life.

While the database was away nobody could give one, so its own start counts as one.
"""


def has_no_maker() -> RawSQL:
    """The same, for queries of generations."""
    return RawSQL(NO_MAKER, (), models.BooleanField())  # noqa: S611 (nothing in it comes from outside)


class GenerationQuerySet(models.QuerySet["Generation"]):
    """Generations by state."""

    def open(self) -> Self:
        """Those whose reply is still to come."""
        return self.filter(status__in=OPEN)

    def without_maker(self) -> Self:
        """The open ones that no living process is making."""
        return self.filter(has_no_maker())


class Generation(models.Model):
    """How an assistant's message is made: all that changes while it streams, so that the message is written once."""

    message = models.OneToOneField(Message, models.DB_CASCADE, primary_key=True, related_name="generation")
    # The message's conversation, repeated so that the database can refuse two open replies in one conversation.
    # Its foreign key is a composite one, to the message: see the second migration.
    conversation = models.ForeignKey(
        Conversation, models.DO_NOTHING, related_name="generations", db_index=False, db_constraint=False
    )
    status = models.CharField(max_length=11, choices=Status, default=Status.PENDING)
    model = models.CharField(max_length=200, blank=True)
    draft = models.TextField(blank=True, help_text="The text so far; empty once the message holds it.")
    # Default in the database too: processes of the version before go on while a deployment migrates.
    thought = models.TextField(
        blank=True, default="", db_default="", help_text="What the model thought before it answered."
    )
    thought_seconds = models.FloatField(null=True, blank=True, help_text="How long it thought.")
    worker = models.CharField(max_length=100, blank=True, help_text="The process that makes it, one name per claim.")
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=50, blank=True)
    error_detail = models.TextField(blank=True, help_text="The technical cause, for staff.")
    error = models.TextField(blank=True, help_text="The sentence that the person read.")
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    window_start = models.DateTimeField(
        null=True, blank=True, help_text="When the oldest message was said that the model saw."
    )
    window_cut = models.BooleanField(
        default=False, db_default=False, help_text="Whether that one was too long, and only its end was seen."
    )
    started_at = models.DateTimeField(null=True, blank=True)
    first_token_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = GenerationQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=("status",), name="generation_open", condition=models.Q(status__in=OPEN)),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="generation_status_is_known"),
            models.UniqueConstraint(
                fields=("conversation",),
                condition=models.Q(status__in=OPEN),
                name="one_open_generation_per_conversation",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} generation of {self.pk}"

    @property
    def is_open(self) -> bool:
        """Whether the reply is still to come."""
        return self.status in OPEN

    def lacks_maker(self) -> bool:
        """Whether the reply is still to come and no living process makes it. Causes a query."""
        return Generation.objects.filter(pk=self.pk).without_maker().exists()


class TurnWindow(models.Model):
    """How often a person has asked the model since `began_at`. Deleting what was said does not change it."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.DB_CASCADE, primary_key=True, related_name="+")
    began_at = models.DateTimeField()
    turns = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.turns} turns since {self.began_at}"
