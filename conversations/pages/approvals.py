"""What waits for a person: tool calls that need a decision."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import IntegerField
from django.db.models.expressions import RawSQL
from django.utils.safestring import SafeString

from accounts.models import User
from chatbot.core import sql
from conversations.models import UNDECIDED_SQL, Conversation, ToolCall
from conversations.models.steps import Step
from conversations.models.tool_calls import ToolCallQuerySet
from conversations.replies import step_html
from conversations.replies.rounds import expiry

PAGE = 100
"""Calls that the page shows: the longest waiting come first, and the next ones follow as these are decided."""


@dataclass(frozen=True, slots=True)
class WaitingCall:
    """A tool call that waits, and where."""

    conversation: Conversation
    call: ToolCall

    @property
    def html(self) -> SafeString:
        """The call as a step with its buttons."""
        return step_html.group([Step.of(self.call)])


def waiting_context(user: User) -> dict[str, Any]:
    """Context of the page of all calls that wait for the person. Causes a query."""
    found = _waiting(user).select_related("message__conversation").order_by("created_at")[: PAGE + 1]
    calls = [WaitingCall(call.message.conversation, call) for call in found if call.message]
    return {
        "listing": "approvals",
        "waiting": calls[:PAGE],
        "has_more": len(calls) > PAGE,
        "hours": settings.CHAT_APPROVAL_HOURS,
    }


WAITING_COUNT = f"""
    SELECT count(*) FROM conversations_toolcall
    WHERE user_id = %s AND {UNDECIDED_SQL} AND message_id IS NOT NULL
        AND created_at > statement_timestamp() - make_interval(hours => %s)
"""  # noqa: S608 (constants)


def waiting_count(user: User) -> RawSQL:
    """Number of calls that wait for the person, as an expression for a query."""
    return RawSQL(f"({WAITING_COUNT})", (user.pk, settings.CHAT_APPROVAL_HOURS), IntegerField())  # noqa: S611 (a constant)


def waiting_now(user: User) -> int:
    """Number of calls that wait for the person. Causes a query."""
    return int(sql.value(WAITING_COUNT, [user.pk, settings.CHAT_APPROVAL_HOURS]))


def _waiting(user: User) -> ToolCallQuerySet:
    return ToolCall.objects.owned_by(user).undecided().filter(created_at__gt=expiry()).exclude(message=None)
