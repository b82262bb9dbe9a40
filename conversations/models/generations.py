"""How each reply is made: its state, worker, tokens and errors."""

from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models.expressions import RawSQL
from django.utils import timezone

from chatbot.telemetry.origin import MAX_CHARS as REQUEST_ID_MAX_CHARS
from conversations.errors.table import sentence_of
from conversations.models.conversations import Conversation
from conversations.models.messages import Message

HEARTBEAT_TIMEOUT = timedelta(seconds=15)
"""Time without a heartbeat after which another process may make the reply again."""


class Status(models.TextChoices):
    """The state of a generation, from pending to its end."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    WAITING = "waiting"


CUT = "length"
"""Finish reason of a reply that ended at a length limit."""

OPEN = [Status.PENDING.value, Status.RUNNING.value, Status.INTERRUPTED.value, Status.WAITING.value]
"""States of open replies.

An interrupted one was handed back by its process and is made by the next viewer's; a waiting one needs its person's
decision on a tool call.
"""

UNDER_WAY = [status for status in OPEN if status != Status.WAITING]
"""States of replies that a process makes or is to make: those that count toward the limits of running replies."""

TEXT_SO_FAR = models.Case(models.When(status__in=OPEN, then="draft"), default="message__content")
"""What `Message.text_so_far` is, for queries of generations."""


def listed(states: Iterable[str]) -> str:
    """States as a statement has them after its IN, quoted and in parentheses."""
    return f"({', '.join(f"'{state}'" for state in states)})"


UNCLAIMED = f"""(
    status IN {listed((Status.PENDING, Status.INTERRUPTED))}
    OR status = '{Status.WAITING}' AND waiting_until < statement_timestamp()
)"""
"""SQL condition of a generation that no process has taken, that was handed back, or whose decision is overdue."""

NO_WORKER = f"""(
    {UNCLAIMED}
    OR status = '{Status.RUNNING}'
        AND greatest(heartbeat_at, pg_postmaster_start_time())
            < statement_timestamp() - interval '{HEARTBEAT_TIMEOUT.seconds} seconds'
)"""
"""SQL condition of an open generation without a worker: unclaimed, or without a recent heartbeat.

No process can write a heartbeat while the database is away, so the database's own start counts as one.
"""


def has_no_worker(condition: str = NO_WORKER) -> RawSQL:
    """`NO_WORKER`, or another such condition, as an expression for queries of generations."""
    return RawSQL(condition, (), models.BooleanField())  # noqa: S611 (nothing in it comes from outside)


class GenerationQuerySet(models.QuerySet["Generation"]):
    """Generations, filtered by their state."""

    def open(self) -> Self:
        """Generations whose reply has not ended."""
        return self.filter(status__in=OPEN)

    def without_worker(self, condition: str = NO_WORKER) -> Self:
        """Open generations that no living process is making, by this condition."""
        return self.filter(has_no_worker(condition))


class Generation(models.Model):
    """How a reply is made: holds all that changes while it streams; the message is written when it ends."""

    message = models.OneToOneField(
        Message, models.DO_NOTHING, primary_key=True, related_name="generation", db_constraint=False
    )
    # The message's conversation, repeated so that the database can refuse two open replies in one conversation. Both
    # are one composite foreign key to the message: see the second migration.
    conversation = models.ForeignKey(
        Conversation, models.DO_NOTHING, related_name="generations", db_index=False, db_constraint=False
    )
    status = models.CharField(max_length=11, choices=Status, default=Status.PENDING)
    model = models.CharField(max_length=200, blank=True)
    draft = models.TextField(blank=True, help_text="The text so far; empty once the message holds it.")
    # Default in the database too: processes of the last version keep inserting during a deployment.
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
        default=False, db_default=False, help_text="Whether it continues its earlier text, with which the draft begins."
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
    error_params = models.JSONField(null=True, blank=True, help_text="What the sentence of the error depends on.")
    error = models.TextField(
        blank=True, help_text="The sentence itself, of a reply that was stored or imported with one."
    )
    request_id = models.CharField(
        max_length=REQUEST_ID_MAX_CHARS,
        blank=True,
        default="",
        db_default="",
        help_text="Id of the request that asked for it, as in the logs and in the request to the provider.",
    )
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    cached_tokens = models.IntegerField(
        null=True, blank=True, help_text="Tokens of the prompt that the provider had cached."
    )
    reasoning_tokens = models.IntegerField(
        null=True, blank=True, help_text="Tokens of the completion that are reasoning."
    )
    options = models.JSONField(
        null=True, blank=True, help_text="Further options that a program sent for the model, such as `max_tokens`."
    )
    window_start = models.DateTimeField(
        null=True, blank=True, help_text="Time of the oldest message that the model saw."
    )
    window_cut = models.BooleanField(
        default=False, db_default=False, help_text="Whether that message was too long, and only its end was seen."
    )
    rounds = models.IntegerField(default=0, db_default=0, help_text="Number of its rounds that ended with tool calls.")
    waiting_until = models.DateTimeField(
        null=True, blank=True, help_text="When the tool calls that wait for a decision count as declined."
    )
    started_at = models.DateTimeField(null=True, blank=True)
    first_token_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = GenerationQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=("status",), name="generation_open", condition=models.Q(status__in=OPEN)),
            # Failures with one error code, newest first. There are few, so the index costs next to nothing.
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
        """Whether the reply has not ended."""
        return self.status in OPEN

    @property
    def is_waiting(self) -> bool:
        """Whether the reply waits for its person's decision on a tool call."""
        return self.status == Status.WAITING and (self.waiting_until is None or self.waiting_until > timezone.now())

    @property
    def is_cut(self) -> bool:
        """Whether the reply ended at a length limit."""
        return self.status == Status.COMPLETE and self.finish_reason == CUT

    @property
    def sentence(self) -> str:
        """Why the reply failed, in the words for its person; nothing where it did not."""
        return self.error or (sentence_of(self.error_code, self.error_params) if self.error_code else "")

    def lacks_worker(self) -> bool:
        """Whether the reply is open and no living process makes it. Causes a query."""
        return Generation.objects.filter(pk=self.pk).without_worker().exists()
