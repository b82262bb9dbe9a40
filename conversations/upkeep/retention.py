"""Which conversations are due for removal, and their permanent removal in batches with short locks.

A batch is bounded in messages. A conversation is removed whole in one transaction. One with more messages than a batch
is first made inaccessible for good, then removed from its end in several transactions; the next run removes what an
interruption leaves. Each batch checks again, under lock, whether a conversation is unchanged.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import BigIntegerField, Count, Exists, F, Func, OuterRef, Q, QuerySet, Sum
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, TruncMonth
from django.utils import timezone

from accounts.models import User
from chatbot.core import sql
from conversations.models import (
    OPEN,
    Conversation,
    ConversationQuerySet,
    Feedback,
    Generation,
    Message,
    has_no_worker,
)

BATCH = 2_000
"""Messages that one transaction removes, which takes about a tenth of a second."""

CONVERSATIONS_AT_A_TIME = 500

ABANDONED_AFTER = timedelta(days=1)
"""Age from which an open reply without a worker counts as abandoned."""

GONE_AT = datetime(1900, 1, 1, tzinfo=UTC)
"""Trash time of a conversation that is being removed in parts: older than any trash may be."""

LOCK = 7_260_817_001
"""Number of the lock under which one process at a time removes old conversations; see `locks`."""

MESSAGES = """(
    SELECT count(*) FROM (
        SELECT FROM conversations_message WHERE conversation_id = conversations_conversation.id LIMIT %s
    ) AS said
)"""
VERSION = "conversations_conversation.xmin::text::bigint"
"""Changes with every change of the row; a new turn changes the row, and feedback writes it for this purpose."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Which conversations are to be removed."""

    before: datetime | None = None
    """Remove conversations whose last message is older; None: only those whose days in the trash are over."""
    user: User | None = None
    """Remove only this person's conversations; None for everybody's."""
    pinned: bool = False
    """Whether pinned conversations are removed too; those past their days in the trash are removed in any case."""
    running: bool = False
    """Whether conversations with a running reply are removed too."""

    def due(self) -> ConversationQuerySet:
        """All conversations that are to be removed."""
        return self._allowed(Conversation.objects.past_trash_days() | self._old())

    def walks(self) -> list[tuple[ConversationQuerySet, str]]:
        """`due` as querysets that may overlap, each with the indexed column by which to order it."""
        walks = [(self._allowed(Conversation.objects.past_trash_days()), "trashed_at")]
        if self.before:
            walks.append((self._allowed(self._old()), "updated_at"))
        return walks

    def _old(self) -> ConversationQuerySet:
        if self.before is None:
            return Conversation.objects.none()
        old = Conversation.objects.filter(updated_at__lt=self.before)
        return old if self.pinned else old.filter(pinned_at=None)

    def _allowed(self, found: ConversationQuerySet) -> ConversationQuerySet:
        if self.user:
            found = found.filter(user=self.user)
        return found if self.running else found.exclude(_is_running())


@dataclass(frozen=True, slots=True)
class Found:
    """A conversation that is to be removed."""

    key: UUID
    version: int
    messages: int
    """Its number of messages, counted up to one more than a batch."""


@dataclass(frozen=True, slots=True)
class Removed:
    """Numbers of rows that one transaction removed."""

    conversations: int
    messages: int


@dataclass(frozen=True, slots=True)
class Share:
    """The part of one person's conversations of one month that would be removed."""

    email: str
    month: str
    """Month of the last message, as in `2026-01`."""
    conversations: int
    messages: int
    bytes: int
    """Size of messages and reasoning as UTF-8."""


def batches(rules: Rules, *, size: int = BATCH) -> Iterator[list[Found]]:
    """All that is due, longest unused first, in groups of at most `size` messages; a longer conversation is alone.

    Reads a few hundred rows at a time, however many there are.
    """
    for walk, column in rules.walks():
        for page in _pages(walk, column, size):
            batch, room = list[Found](), size
            for found in page:
                if batch and found.messages > room:
                    yield batch
                    batch, room = [], size
                batch.append(found)
                room -= found.messages
            yield batch


def remove(batch: Sequence[Found], rules: Rules, *, size: int = BATCH) -> Iterator[Removed]:
    """Remove the conversations of a batch that are unchanged, permanently; yields what each transaction removed.

    A conversation that is in use at this moment stays. A caller that stops iterating leaves the rest in place.
    """
    if len(batch) == 1 and batch[0].messages > size:
        yield from _remove_long(batch[0], rules, size)
    else:
        yield _remove_whole(batch, rules)


def shares(rules: Rules) -> Iterator[Share]:
    """What is due, by person and month. Reads all of it once."""
    size = (
        _bytes("messages__content") + _bytes("messages__generation__reasoning") + _bytes("messages__generation__draft")
    )
    found = (
        rules.due()
        .annotate(month=TruncMonth("updated_at"))
        .order_by("user__email", "month")
        .values_list("user__email", "month")
        .annotate(count=Count("pk", distinct=True), said=Count("messages"), size=Coalesce(Sum(size), 0))
    )
    with transaction.atomic():
        for email, month, conversations, messages, size in found.iterator():
            yield Share(email, f"{month:%Y-%m}", conversations, messages, size)


def _remove_whole(batch: Sequence[Found], rules: Rules) -> Removed:
    with _transaction():
        keys = _locked(batch, rules)
        messages = _remove_messages(Message.objects.filter(conversation__in=keys)) if keys else 0
        Conversation.objects.filter(pk__in=keys).delete()
    return Removed(len(keys), messages)


def _remove_long(found: Found, rules: Rules, size: int) -> Iterator[Removed]:
    with _transaction():
        if not _locked([found], rules):
            return
        Conversation.objects.filter(pk=found.key).update(trashed_at=GONE_AT)
    said = Message.objects.filter(conversation=found.key)
    while True:
        with _transaction():
            # From the end: removing a message before its replies would cascade to all of them in one transaction.
            keys = list(said.newest_first().values_list("pk", flat=True)[:size])
            removed = _remove_messages(Message.objects.filter(pk__in=keys))
            if len(keys) < size:
                Conversation.objects.filter(pk=found.key).delete()
                yield Removed(1, removed)
                return
        yield Removed(0, removed)


def _locked(batch: Sequence[Found], rules: Rules) -> list[UUID]:
    """Lock and return the keys that are due, unchanged and not locked by others, until the transaction ends."""
    versions = {found.key: found.version for found in batch}
    due = rules.due().filter(pk__in=versions).annotate(version=RawSQL(VERSION, ()))  # noqa: S611 (a constant)
    locked = due.select_for_update(skip_locked=True, of=("self",)).values_list("pk", "version")
    return [key for key, version in locked if version == versions[key]]


def _remove_messages(messages: QuerySet[Message]) -> int:
    """Remove messages and the rows that refer to them; several times faster than cascading row by row."""
    # The end of a reply locks its message, then its generation; this keeps the same order.
    list(messages.filter(generation__status__in=OPEN).select_for_update(of=("self",)).values_list("pk"))
    keys = messages.order_by().values("pk")
    Generation.objects.filter(pk__in=keys).delete()
    Feedback.objects.filter(pk__in=keys).delete()
    return messages.order_by().delete()[0]


def _pages(walk: ConversationQuerySet, column: str, size: int) -> Iterator[list[Found]]:
    counted = walk.annotate(
        messages_found=RawSQL(MESSAGES, (size + 1,)),  # noqa: S611 (a constant)
        version=RawSQL(VERSION, ()),  # noqa: S611 (a constant)
    ).order_by(column, "pk")
    rest = counted
    while page := list(rest.values_list(column, "pk", "version", "messages_found")[:CONVERSATIONS_AT_A_TIME]):
        yield [Found(*row[1:]) for row in page]
        time, key = page[-1][:2]
        # Written as a range and an exclusion, so that the index scan starts at this row.
        rest = counted.filter(**{f"{column}__gte": time}).exclude(**{column: time, "pk__lte": key})


def _is_running() -> Exists:
    """Whether a reply of the conversation is being made or may still be made."""
    fresh = Q(conversation__updated_at__gt=timezone.now() - ABANDONED_AFTER)
    replies = Generation.objects.open().filter(conversation=OuterRef("pk"))
    return Exists(replies.annotate(unmade=has_no_worker()).filter(fresh | Q(unmade=False)))


def _bytes(field: str) -> Coalesce:
    return Coalesce(Func(F(field), function="octet_length", output_field=BigIntegerField()), 0)


@contextmanager
def _transaction() -> Iterator[None]:
    """A transaction that does not wait for the disk: what a crash loses, the next run removes."""
    with transaction.atomic():
        sql.run("SET LOCAL synchronous_commit = off")
        yield
