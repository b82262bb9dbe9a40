"""Lists of conversations: the sidebar's, and those that fill a page."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format

from accounts.models import User
from accounts.requests import PersonRequest, cursor
from chatbot.core.cursors import Cursor
from conversations.models import Conversation, ConversationQuerySet
from conversations.pages.approvals import waiting_count

CONVERSATIONS_PER_PAGE = 30
LISTING_PAGE = 50


@dataclass(frozen=True, slots=True)
class ConversationGroup:
    """Conversations under one heading of the list."""

    label: str
    conversations: list[Conversation]


def conversation_list(user: User, after: Cursor | None = None) -> dict[str, Any]:
    """Context of the sidebar: pinned conversations on the first page, the others by day, and the next page's cursor.

    With it comes the number of tool calls that wait for the person.

    The cursor is empty at the end. Causes one query.
    """
    found = list(sidebar(user, after))
    waiting = vars(found[0])["approvals_count"] if found else 0
    pinned = [conversation for conversation in found if conversation.pinned_at]
    conversations = found[len(pinned) :]
    shown = conversations[:CONVERSATIONS_PER_PAGE]
    return {
        "pinned": pinned,
        "conversation_groups": grouped(shown, now=timezone.now()),
        "conversations_cursor": str(shown[-1].cursor) if len(conversations) > len(shown) else "",
        "approvals_count": waiting,
    }


def sidebar_context(request: PersonRequest) -> dict[str, Any]:
    """Context of the sidebar for a request; its address may hold the cursor `conversations`. Causes one query."""
    return conversation_list(request.user, cursor(request, "conversations"))


def sidebar(user: User, after: Cursor | None) -> ConversationQuerySet:
    """The pinned conversations, without a cursor, and one more of the others than a page shows.

    Each has `approvals_count`, the number of all tool calls that wait for the person.
    """
    # It depends on no row, so the database counts once; who has no conversation has no call either.
    owned = Conversation.objects.owned_by(user).annotate(approvals_count=waiting_count(user))
    others = owned.listed().filter(pinned_at=None).newest_first().after(after)[: CONVERSATIONS_PER_PAGE + 1]
    return others if after else owned.pinned().union(others, all=True)


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of conversations that fills a page."""

    title: str
    by: str
    """The column by whose time it is ordered, latest first."""
    find: Callable[[User], ConversationQuerySet]


LISTINGS = {
    "conversations": Listing("Conversations", "updated_at", lambda user: Conversation.objects.owned_by(user).listed()),
    "archive": Listing("Archive", "archived_at", lambda user: Conversation.objects.owned_by(user).archived()),
    "trash": Listing("Trash", "trashed_at", lambda user: Conversation.objects.trash_of(user)),
}
"""Name in the address -> list."""


def listing(name: str, user: User, after: Cursor | None = None) -> dict[str, Any]:
    """Context of one page of the list, with the next page's cursor (empty at the end). Causes a query."""
    kind = LISTINGS[name]
    ordered = kind.find(user).order_by(f"-{kind.by}", "-id").after(after, by=kind.by)
    found = list(ordered[: LISTING_PAGE + 1])
    shown = found[:LISTING_PAGE]
    last = shown[-1] if len(found) > len(shown) else None
    return {
        "listing": name,
        "title": kind.title,
        "entries": [Entry(conversation, getattr(conversation, kind.by)) for conversation in shown],
        "next_cursor": str(Cursor(getattr(last, kind.by), last.pk)) if last else "",
        "trash_days": settings.CHAT_TRASH_DAYS,
    }


@dataclass(frozen=True, slots=True)
class Entry:
    """A conversation on a page of a list."""

    conversation: Conversation
    time: datetime

    @property
    def expires(self) -> datetime:
        """Time at which it leaves the trash."""
        return self.time + timedelta(days=settings.CHAT_TRASH_DAYS)


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
