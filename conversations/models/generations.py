"""How each reply is made."""

from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models.expressions import RawSQL

from chatbot.telemetry.origin import MAX_CHARS as REQUEST_ID_MAX_CHARS
from conversations.models.conversations import Conversation
from conversations.models.messages import Message

HEARTBEAT_TIMEOUT = timedelta(seconds=15)
"""A reply whose worker gave no sign of life for this long may be made again by another process."""


class Status(models.TextChoices):
    """How far a generation is."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


CUT = "length"
"""The finish reason of a reply that ended because it might be no longer."""

OPEN = [Status.PENDING.value, Status.RUNNING.value, Status.INTERRUPTED.value]
"""The states in which a reply is still to come. An interrupted one was handed back and waits for the next viewer."""

TEXT_SO_FAR = models.Case(models.When(status__in=OPEN, then="draft"), default="message__content")
"""What `Message.text_so_far` is, for queries of generations."""


def listed(states: Iterable[str]) -> str:
    """States as a statement has them after its IN, quoted and in parentheses."""
    return f"({', '.join(f"'{state}'" for state in states)})"


WAITING = f"status IN {listed((Status.PENDING, Status.INTERRUPTED))}"
"""The condition of a generation that no process has taken, or that its process handed back."""

NO_WORKER = f"""(
    {WAITING}
    OR status = '{Status.RUNNING}'
        AND greatest(heartbeat_at, pg_postmaster_start_time())
            < statement_timestamp() - interval '{HEARTBEAT_TIMEOUT.seconds} seconds'
)"""
"""The condition of an open generation that no process makes: waiting, handed back, or without a sign of life.

While the database was away nobody could give one, so its own start counts as one.
"""


def has_no_worker(condition: str = NO_WORKER) -> RawSQL:
    """The same, or another such condition, for queries of generations."""
    return RawSQL(condition, (), models.BooleanField())  # noqa: S611 (nothing in it comes from outside)


class GenerationQuerySet(models.QuerySet["Generation"]):
    """Generations by state."""

    def open(self) -> Self:
        """Those whose reply is still to come."""
        return self.filter(status__in=OPEN)

    def without_worker(self, condition: str = NO_WORKER) -> Self:
        """The open ones that no living process is making, by this condition."""
        return self.filter(has_no_worker(condition))


class Generation(models.Model):
    """How an assistant's message is made: all that changes while it streams; the message is written when it ends."""

    message = models.OneToOneField(
        Message, models.DO_NOTHING, primary_key=True, related_name="generation", db_constraint=False
    )
    # The message's conversation, repeated so that the database can refuse two open replies in one conversation.
    # The foreign key of both is a composite one, to the message: see the second migration.
    conversation = models.ForeignKey(
        Conversation, models.DO_NOTHING, related_name="generations", db_index=False, db_constraint=False
    )
    status = models.CharField(max_length=11, choices=Status, default=Status.PENDING)
    model = models.CharField(max_length=200, blank=True)
    draft = models.TextField(blank=True, help_text="The text so far; empty once the message holds it.")
    # Default in the database too: processes of the version before go on while a deployment migrates.
    reasoning = models.TextField(
        db_column="thought",
        blank=True,
        default="",
        db_default="",
        help_text="The model's reasoning before its answer.",
    )
    reasoning_seconds = models.FloatField(
        db_column="thought_seconds", null=True, blank=True, help_text="How long the reasoning took."
    )
    continues = models.BooleanField(
        default=False, db_default=False, help_text="Whether it goes on with its text, which is the draft's beginning."
    )
    finish_reason = models.CharField(
        max_length=50,
        blank=True,
        default="",
        db_default="",
        help_text="Why the model ended it: “stop” at its end, “length” at a limit, or another word of the provider's.",
    )
    worker = models.CharField(max_length=100, blank=True, help_text="The process that makes it, one name per claim.")
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=50, blank=True)
    error_detail = models.TextField(blank=True, help_text="The technical cause, for staff.")
    error = models.TextField(blank=True, help_text="The sentence that the person read.")
    request_id = models.CharField(
        max_length=REQUEST_ID_MAX_CHARS,
        blank=True,
        default="",
        db_default="",
        help_text="The request that asked for it, as in the logs and in the request to the provider.",
    )
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    cached_tokens = models.IntegerField(null=True, blank=True, help_text="Of the prompt's, those read before.")
    reasoning_tokens = models.IntegerField(null=True, blank=True, help_text="Of the completion, the reasoning.")
    options = models.JSONField(
        null=True, blank=True, help_text="What a program asked of the model beside the text, such as `max_tokens`."
    )
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
            # What failed for one reason, newest first. Few do, so it costs next to nothing.
            models.Index(
                fields=("error_code", "-message"), name="generation_failed", condition=~models.Q(error_code="")
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="generation_status_is_known"),
            models.UniqueConstraint(
                fields=("conversation",),
                condition=models.Q(status__in=OPEN),
                name="one_open_generation_per_conversation",
            ),
        ]
        permissions: ClassVar = [("stop_generation", "Can stop a reply that is being made")]

    def __str__(self) -> str:
        return f"{self.status} generation of {self.pk}"

    @property
    def is_open(self) -> bool:
        """Whether the reply is still to come."""
        return self.status in OPEN

    @property
    def is_cut(self) -> bool:
        """Whether the reply ended because it might be no longer."""
        return self.status == Status.COMPLETE and self.finish_reason == CUT

    def lacks_worker(self) -> bool:
        """Whether the reply is still to come and no living process makes it. Causes a query."""
        return Generation.objects.filter(pk=self.pk).without_worker().exists()
