"""Aggregates replies: hours from the replies themselves, days from the hours, or from the replies where those are old.

Whole hours and days are counted anew each time, so a repeated or interrupted run changes nothing. A batch is one
transaction, bounded in replies, that holds the mark's row locked: one process counts at a time, and none waits for it.
No turn waits for counting.
"""

import time
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import reduce
from operator import or_

from django.db import transaction
from django.db.models import Min, Q
from django.utils import timezone

from accounts.models import User
from chatbot.core import sql
from conversations.models import (
    OPEN,
    Grain,
    Measure,
    Message,
    Status,
    Usage,
    UsageLatency,
    UsageMark,
    UsagePeople,
    UsagePresence,
    listed,
)
from conversations.usage.buckets import bucket_sql

BATCH = 20_000
"""Replies that one transaction aggregates, which takes about a tenth of a second."""

SETTLED = timedelta(hours=2)
"""Time for which a finished hour is counted anew; a reply that ends later stays uncounted."""

HOURS_KEPT = timedelta(days=3)
"""Time for which hours are kept; older usage is kept by days only."""

LONGEST = {Grain.HOUR: 1, Grain.DAY: 90}
"""Longest ranges, in days, for counting distinct people: how far back a person's previous activity is sought."""

PRESENCE_KEPT = {Grain.HOUR: HOURS_KEPT, Grain.DAY: timedelta(days=LONGEST[Grain.DAY]) + HOURS_KEPT}
WAITED = timedelta(minutes=1)
"""Replies that began later than this after the request waited for something else than the chat."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

NEVER_ASKED = listed((Status.FAILED, Status.STOPPED))
"""How a reply may end without a model that was asked."""

COUNT = f"""
WITH reply AS MATERIALIZED (
    SELECT date_trunc(%(grain)s, message.created_at, 'UTC') AS began_at, message.user_id,
        generation.model, generation.status, generation.error_code,
        generation.prompt_tokens, generation.completion_tokens,
        {bucket_sql("(first_token_at - started_at)")} AS first_token,
        CASE WHEN started_at - message.created_at <= interval '{WAITED.seconds} seconds'
            THEN {bucket_sql("(started_at - message.created_at)")} END AS added
    FROM conversations_message AS message
    CROSS JOIN LATERAL (
        SELECT * FROM conversations_generation WHERE message_id = message.id
        -- Keeps the planner from reading the whole table.
        OFFSET 0
    ) AS generation
    WHERE message.created_at >= %(begin)s AND message.created_at < %(end)s
        AND NOT generation.status = ANY(%(open)s)
        -- Made here: a process gave a sign of life, or none was ever asked. Imported rows tell of neither.
        AND (generation.heartbeat_at IS NOT NULL OR started_at IS NULL AND generation.status IN {NEVER_ASKED})
), counted AS (
    INSERT INTO conversations_usage
        (grain, began_at, model, status, error_code, replies, prompt_tokens, completion_tokens)
    SELECT %(grain)s, began_at, model, status, error_code, count(*),
        coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0)
    FROM reply GROUP BY began_at, model, status, error_code
), timed AS (
    INSERT INTO conversations_usagelatency (grain, began_at, model, measure, bucket, replies)
    SELECT %(grain)s, began_at, model, measure, bucket, count(*)
    FROM reply, LATERAL (VALUES ('{Measure.FIRST_TOKEN}', first_token), ('{Measure.ADDED}', added))
        AS taken (measure, bucket)
    WHERE bucket IS NOT NULL GROUP BY began_at, measure, bucket, GROUPING SETS ((model), ())
)
INSERT INTO conversations_usagepresence (grain, began_at, user_id)
SELECT DISTINCT grain, date_trunc(grain, began_at, 'UTC'), user_id
FROM reply, unnest(ARRAY[%(grain)s, 'day']) AS grain
-- Whose account is deleted in this moment is not waited for.
WHERE user_id IN (SELECT id FROM accounts_user WHERE id IN (SELECT user_id FROM reply) FOR KEY SHARE SKIP LOCKED)
ON CONFLICT DO NOTHING
"""  # noqa: S608 (constants)

DAYS = (
    """
    INSERT INTO conversations_usage
        (grain, began_at, model, status, error_code, replies, prompt_tokens, completion_tokens)
    SELECT 'day', date_trunc('day', began_at, 'UTC') AS day, model, status, error_code,
        sum(replies), sum(prompt_tokens), sum(completion_tokens)
    FROM conversations_usage WHERE grain = 'hour' AND began_at >= %s AND began_at < %s
    GROUP BY day, model, status, error_code
    """,
    """
    INSERT INTO conversations_usagelatency (grain, began_at, model, measure, bucket, replies)
    SELECT 'day', date_trunc('day', began_at, 'UTC') AS day, model, measure, bucket, sum(replies)
    FROM conversations_usagelatency WHERE grain = 'hour' AND began_at >= %s AND began_at < %s
    GROUP BY day, model, measure, bucket
    """,
)

PEOPLE = """
INSERT INTO conversations_usagepeople (grain, began_at, previous, people)
SELECT %(grain)s, began_at, previous, count(*) FROM (
    SELECT began_at, (
        SELECT max(other.began_at) FROM conversations_usagepresence AS other
        WHERE other.user_id = presence.user_id AND other.grain = %(grain)s
            AND other.began_at < presence.began_at
            AND other.began_at >= presence.began_at - %(longest)s * interval '1 day'
    ) AS previous
    FROM conversations_usagepresence AS presence
    WHERE grain = %(grain)s AND began_at >= %(begin)s AND began_at < %(end)s
) AS active GROUP BY began_at, previous
"""


class Counted(Enum):
    """How far counting has come."""

    ALL = "all"
    SOME = "some"
    ELSEWHERE = "elsewhere"
    """Another process is counting at this moment."""


def catch_up(*, seconds: float = float("inf"), batch: int = BATCH, now: datetime | None = None) -> Counted:
    """Count what has ended since the mark, up to `now`; starts no further batch after `seconds`."""
    deadline = time.monotonic() + seconds
    _make_mark()
    while (counted := _count_batch(batch, now or timezone.now())) is Counted.SOME and time.monotonic() < deadline:
        pass
    return counted


def counted_to() -> datetime | None:
    """The time up to which everything is counted; None before the first run. Causes a query."""
    return UsageMark.objects.values_list("counted_to", flat=True).first()


def _make_mark() -> None:
    """Create the mark if it is missing, before the first reply of the site."""
    if not UsageMark.objects.exists():
        first = User.objects.aggregate(first=Min("date_joined"))["first"] or timezone.now()
        UsageMark.objects.bulk_create([UsageMark(counted_to=_hour(first))], ignore_conflicts=True)


@transaction.atomic
def _count_batch(batch: int, now: datetime) -> Counted:
    """Count the hours after the mark that hold about `batch` replies, and count the last hours before it anew."""
    mark = UsageMark.objects.select_for_update(skip_locked=True).first()
    if mark is None:
        return Counted.ELSEWHERE
    end = _end(mark.counted_to, now, batch)
    unsettled, recent = mark.counted_to - SETTLED, _day(now - HOURS_KEPT)
    if mark.counted_to < recent:
        end = min(_day(end) + DAY, recent)
        _count(Grain.DAY, _day(unsettled), end)
    else:
        # A day is the sum of its hours; after a pause the hours may be gone, and are counted anew.
        begin = _hour(unsettled) if now - mark.counted_to < DAY else _day(unsettled)
        _count(Grain.HOUR, begin, _hour(end) + HOUR if end == now else end)
    mark.counted_to = end
    mark.save(update_fields=("counted_to",))
    return Counted.ALL if end == now else Counted.SOME


def _end(begin: datetime, now: datetime, batch: int) -> datetime:
    """The end of the hour in which the `batch`-th reply from `begin` on lies; `now` when there are fewer."""
    after = Message.objects.filter(created_at__gte=begin, created_at__lt=now).order_by("created_at")
    # Each reply has a question, hence twice the number of messages.
    last = after.values_list("created_at", flat=True)[2 * batch : 2 * batch + 1].first()
    return min(_hour(last) + HOUR, now) if last else now


def _count(grain: Grain, begin: datetime, end: datetime) -> None:
    """Count the replies from `begin` to `end`, both on the hour or day, by this grain; and the days that they touch."""
    spans = {grain: (begin, end), Grain.DAY: (_day(begin), _day(end - HOUR) + DAY)}
    _forget(spans, begin)
    sql.run(COUNT, {"grain": grain.value, "begin": begin, "end": end, "open": OPEN})
    if grain == Grain.HOUR:
        for statement in DAYS:
            sql.run(statement, spans[Grain.DAY])
    for one, span in spans.items():
        sql.run(PEOPLE, {"grain": one.value, "longest": LONGEST[one], "begin": span[0], "end": span[1]})


def _forget(spans: dict[Grain, tuple[datetime, datetime]], now: datetime) -> None:
    """Remove the counts of these spans, and what is no longer needed from `now` on."""
    counted = Q(grain=Grain.HOUR, began_at__lt=now - HOURS_KEPT)
    for grain, (begin, end) in spans.items():
        counted |= Q(grain=grain, began_at__gte=begin, began_at__lt=end)
    for model in (Usage, UsageLatency, UsagePeople):
        model._base_manager.filter(counted).delete()
    old = [Q(grain=grain, began_at__lt=now - kept) for grain, kept in PRESENCE_KEPT.items()]
    UsagePresence.objects.filter(reduce(or_, old)).delete()


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _day(moment: datetime) -> datetime:
    return _hour(moment).replace(hour=0)
