"""The list of conversations."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format

from accounts.models import User
from conversations.models import Conversation, Cursor

CONVERSATIONS_PER_PAGE = 30


@dataclass(frozen=True, slots=True)
class ConversationGroup:
    """Conversations under one heading of the list."""

    label: str
    conversations: list[Conversation]


def conversation_list(user: User, after: Cursor | None = None) -> dict[str, Any]:
    """One page of the list of conversations, grouped by day, and the cursor of the next one (empty at the end)."""
    listed = Conversation.objects.owned_by(user).newest_first().after(after)
    conversations = list(listed[: CONVERSATIONS_PER_PAGE + 1])
    shown = conversations[:CONVERSATIONS_PER_PAGE]
    return {
        "conversation_groups": grouped(shown, now=timezone.now()),
        "conversations_cursor": str(shown[-1].cursor) if len(conversations) > len(shown) else "",
    }


def grouped(conversations: Iterable[Conversation], *, now: datetime) -> list[ConversationGroup]:
    """Conversations, newest first, under Today, Yesterday, Previous 7 days, then months, in the reader's time zone."""
    today = timezone.localdate(now)

    def label(conversation: Conversation) -> str:
        day = timezone.localdate(conversation.updated_at)
        if day >= today:
            return "Today"
        if day == today - timedelta(days=1):
            return "Yesterday"
        if day >= today - timedelta(days=7):
            return "Previous 7 days"
        return date_format(day, "F Y")

    return [ConversationGroup(name, list(members)) for name, members in groupby(conversations, key=label)]
