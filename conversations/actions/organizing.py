"""What a person can do with conversations as a whole; each a verb, each one transaction.

Verbs that take a queryset act on one conversation or on several alike. They change only what is not so yet, in one
statement, and return what they changed.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from chatbot.core.errors import UserFacingError
from conversations.errors import ConversationGone
from conversations.models import Conversation, ConversationQuerySet, Generation
from conversations.replies import dispatch, leases

PINNED_MAX = 50
"""Pinned conversations of one person: each stands on every page."""


class TooManyPinned(UserFacingError):
    """You have reached the limit of {limit} pinned conversations. Unpin one, then pin this one."""

    code = "too_many_pinned"
    http_status = 409


@dataclass(frozen=True, slots=True)
class Change:
    """What a verb did."""

    count: int
    """Conversations that it changed."""
    at: datetime
    """The time that it wrote into each of them, by which they can be found again to undo it."""


def rename(conversation: Conversation, *, title: str) -> None:
    """Give the conversation a title of 1 to 255 characters. Raises `ConversationGone`."""
    if not Conversation.objects.filter(pk=conversation.pk, trashed_at=None).update(title=title):
        raise ConversationGone


def pin(conversations: ConversationQuerySet) -> Change:
    """Put them above the others in the list. Raises `TooManyPinned` when there is no room for any of them."""
    pinned = Conversation.objects.pinned().filter(user=OuterRef("user")).order_by().values("user")
    unpinned = conversations.filter(pinned_at=None, trashed_at=None)
    with_room = unpinned.alias(pinned=Coalesce(Subquery(pinned.annotate(count=Count("pk")).values("count")), 0))
    now = timezone.now()
    count = with_room.filter(pinned__lt=PINNED_MAX).update(pinned_at=now)
    if not count and unpinned.exists():
        raise TooManyPinned(limit=PINNED_MAX)
    return Change(count, now)


def unpin(conversations: ConversationQuerySet) -> Change:
    """Let them stand among the others again."""
    return Change(conversations.filter(pinned_at__isnull=False).update(pinned_at=None), timezone.now())


def archive(conversations: ConversationQuerySet) -> Change:
    """Put them away: out of the list, still found by a search. What is said in one brings it back."""
    now = timezone.now()
    return Change(conversations.filter(archived_at=None).update(archived_at=now), now)


def unarchive(conversations: ConversationQuerySet) -> Change:
    """Bring them back to the list."""
    return Change(conversations.filter(archived_at__isnull=False).update(archived_at=None), timezone.now())


@transaction.atomic
def trash(conversations: ConversationQuerySet) -> Change:
    """Move them to the trash, where nothing of them can be reached, and stop the replies that are being made."""
    now = timezone.now()
    keys = list(conversations.values_list("pk", flat=True))
    count = Conversation.objects.filter(pk__in=keys, trashed_at=None).update(trashed_at=now)
    # A turn that was stored meanwhile was waited for: its reply is among these.
    open_replies = Generation.objects.open().filter(conversation__in=keys, conversation__trashed_at=now)
    for message_id in open_replies.values_list("pk", flat=True):
        leases.stop(message_id)
        dispatch.stop(message_id)
    return Change(count, now)


def restore(conversations: ConversationQuerySet) -> Change:
    """Take them out of the trash, to where they were."""
    return Change(conversations.filter(trashed_at__isnull=False).update(trashed_at=None), timezone.now())


def delete(conversations: ConversationQuerySet) -> Change:
    """Remove those that are in the trash, with all that was said in them, for ever."""
    _, rows = conversations.filter(trashed_at__isnull=False).delete()
    return Change(rows.get(Conversation._meta.label, 0), timezone.now())
