"""Tool calls, and the rounds of a reply between which they stand.

A reply with tools is made in rounds: the model says something and names calls, the calls run, and their results go back
to the model with everything before. Both are rows that are written before anything runs, so that whoever makes the
reply again after a crash repeats nothing.
"""

from typing import ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.models import User
from chatbot.core.cursors import Cursor
from conversations.models.messages import Message

TOOL_MAX_CHARS = 200
"""Longest name that is stored: models also name tools that do not exist."""


class CallState(models.TextChoices):
    """The state of a tool call, from proposed to its end."""

    PROPOSED = "proposed"
    WAITING = "waiting"
    APPROVED = "approved"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    DECLINED = "declined"
    UNKNOWN = "unknown"


class Decision(models.TextChoices):
    """Who or what decided that a call runs, or does not."""

    POLICY = "policy"
    PERSON = "person"
    ALWAYS = "always"
    EXPIRED = "expired"
    STOPPED = "stopped"


class CallOrigin(models.TextChoices):
    """Through which door a call came."""

    CHAT = "chat"
    DOOR = "door"
    MCP = "mcp"


UNDECIDED = models.Q(state=CallState.WAITING) | models.Q(state=CallState.UNKNOWN, decision="")
"""Calls that wait for their person: whether to run, or, after a crash, whether to run again."""

UNDECIDED_SQL = f"(state = '{CallState.WAITING}' OR state = '{CallState.UNKNOWN}' AND decision = '')"
"""`UNDECIDED` as a condition in SQL."""


class ToolCallQuerySet(models.QuerySet["ToolCall"]):
    """Tool calls of one person, or of one reply."""

    def owned_by(self, user: User | AnonymousUser) -> Self:
        """This person's calls, without those of conversations in the trash; none for an anonymous user."""
        if not user.pk:
            return self.none()
        return self.filter(user_id=user.pk).filter(
            models.Q(message=None) | models.Q(message__conversation__trashed_at=None)
        )

    def undecided(self) -> Self:
        """Calls that wait for their person's decision."""
        return self.filter(UNDECIDED)

    def newest_first(self) -> Self:
        """Order by time of creation, latest first."""
        return self.order_by("-created_at", "-id")

    def after(self, cursor: Cursor | None) -> Self:
        """The calls after the cursor, newest first; all of them without one."""
        if cursor is None:
            return self
        # A range and an exclusion, so that the index scan starts at the cursor.
        return self.filter(created_at__lte=cursor.time).exclude(created_at=cursor.time, id__gte=cursor.key)

    def in_order(self) -> Self:
        """In the order in which the model named them."""
        return self.order_by("round", "position")


class ToolCall(models.Model):
    """A call of a tool by the assistant, stored before it runs."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    message = models.ForeignKey(
        Message, models.DB_CASCADE, null=True, blank=True, related_name="calls", db_index=False, help_text="The reply."
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="tool_calls", db_index=False)
    origin = models.CharField(max_length=4, choices=CallOrigin, default=CallOrigin.CHAT)
    round = models.PositiveSmallIntegerField(default=0, help_text="The round of its reply, from 0.")
    position = models.PositiveSmallIntegerField(default=0, help_text="Its place in the round, from 0.")
    place = models.PositiveIntegerField(default=0, help_text="Characters of the reply's text before it.")
    provider_id = models.CharField(max_length=200, blank=True, help_text="Its id in the provider's answer.")
    tool = models.CharField(max_length=TOOL_MAX_CHARS)
    arguments = models.TextField(blank=True, help_text="The arguments as the model wrote them, mostly a JSON object.")
    extra = models.JSONField(null=True, blank=True, help_text="Further fields of the provider, which go back to it.")
    state = models.CharField(max_length=8, choices=CallState, default=CallState.PROPOSED)
    worker = models.CharField(max_length=100, blank=True, help_text="The process that runs it.")
    result = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True, help_text="Why it failed, in the words that the model gets.")
    decision = models.CharField(max_length=7, choices=Decision, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = ToolCallQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=("user", "-created_at"), name="tool_call_user_created"),
            models.Index(fields=("user", "created_at"), name="tool_call_undecided", condition=UNDECIDED),
            models.Index(fields=("tool", "-created_at"), name="tool_call_tool_created"),
            models.Index(fields=("created_at", "id"), name="tool_call_created"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(state__in=CallState.values), name="tool_call_state_is_known"),
            models.UniqueConstraint(fields=("message", "round", "position"), name="tool_call_place_in_reply"),
        ]

    def __str__(self) -> str:
        return f"tool call {self.pk}"

    @property
    def is_undecided(self) -> bool:
        """Whether it waits for its person's decision."""
        return self.state == CallState.WAITING or (self.state == CallState.UNKNOWN and not self.decision)


class ReplyRound(models.Model):
    """What the model said in one round of a reply that named tool calls."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    message = models.ForeignKey(Message, models.DB_CASCADE, related_name="rounds", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="+", db_index=False)
    number = models.PositiveSmallIntegerField(help_text="From 0.")
    text = models.TextField(blank=True)
    reasoning = models.TextField(blank=True)
    items = models.JSONField(null=True, blank=True, help_text="Fields of the answer that go back to the provider.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes: ClassVar = [models.Index(fields=("user",), name="reply_round_user")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("message", "number"), name="reply_round_number"),
        ]

    def __str__(self) -> str:
        return f"round {self.number} of {self.message_id}"
