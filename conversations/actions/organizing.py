"""Actions on conversations as a whole; each is a verb and one transaction.

Verbs on a queryset act on one or several conversations. They change only those that are not in the wanted state yet, in
one statement, and return what they changed.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from chatbot.core.errors import UserFacingError
from conversations.errors.gone import ConversationGone
from conversations.models import Conversation, ConversationQuerySet, Generation
from conversations.replies import dispatch, leases

PINNED_MAX = 50
"""Most pinned conversations of one person, because every page shows them."""


class TooManyPinned(UserFacingError):
    """You have reached the limit of {limit} pinned conversations. Unpin one, then pin this one."""

    code = "too_many_pinned"
    http_status = 409
    for_programs = "The maximum number of conversations is pinned. Unpin one first."


@dataclass(frozen=True, slots=True)
class Change:
    """The result of a verb on conversations."""

    count: int
    """Number of conversations that were changed."""
    at: datetime
    """The time written into each of them, by which an undo finds them."""


def rename(conversation: Conversation, *, title: str) -> None:
    """Give the conversation a title of 1 to 255 characters. Raises `ConversationGone`."""
    if not Conversation.objects.filter(pk=conversation.pk, trashed_at=None).update(title=title):
        raise ConversationGone


def pin(conversations: ConversationQuerySet) -> Change:
    """Pin the conversations above the others in the list. Raises `TooManyPinned` when they do not all fit."""
    pinned = Conversation.objects.pinned().filter(user=OuterRef("user")).order_by().values("user")
    unpinned = conversations.filter(pinned_at=None, trashed_at=None)
    with_room = unpinned.alias(pinned=Coalesce(Subquery(pinned.annotate(count=Count("pk")).values("count")), 0))
    now = timezone.now()
    count = with_room.filter(pinned__lt=PINNED_MAX).update(pinned_at=now)
    if not count and unpinned.exists():
        raise TooManyPinned(limit=PINNED_MAX)
    return Change(count, now)


def unpin(conversations: ConversationQuerySet) -> Change:
    """Unpin the conversations, back to the others in the list."""
    return Change(conversations.filter(pinned_at__isnull=False).update(pinned_at=None), timezone.now())


def archive(conversations: ConversationQuerySet) -> Change:
    """Archive the conversations: hidden in the list, found by a search. A new message brings one back."""
    now = timezone.now()
    return Change(conversations.filter(archived_at=None).update(archived_at=now), now)


def unarchive(conversations: ConversationQuerySet) -> Change:
    """Bring archived conversations back to the list."""
    return Change(conversations.filter(archived_at__isnull=False).update(archived_at=None), timezone.now())


@transaction.atomic
def trash(conversations: ConversationQuerySet) -> Change:
    """Move the conversations to the trash, where they are inaccessible, and stop their open replies."""
    now = timezone.now()
    keys = list(conversations.values_list("pk", flat=True))
    count = Conversation.objects.filter(pk__in=keys, trashed_at=None).update(trashed_at=now)
    # The update waited for turns being stored: their replies are among these.
    open_replies = Generation.objects.open().filter(conversation__in=keys, conversation__trashed_at=now)
    for message_id in open_replies.values_list("pk", flat=True):
        leases.stop(message_id)
        dispatch.stop(message_id)
    return Change(count, now)


def restore(conversations: ConversationQuerySet) -> Change:
    """Take the conversations out of the trash, to where they were."""
    return Change(conversations.filter(trashed_at__isnull=False).update(trashed_at=None), timezone.now())


def delete(conversations: ConversationQuerySet) -> Change:
    """Permanently delete those of the conversations that are in the trash, with their messages."""
    _, rows = conversations.filter(trashed_at__isnull=False).delete()
    return Change(rows.get(Conversation._meta.label, 0), timezone.now())
