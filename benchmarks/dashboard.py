"""The admin's dashboard on a site of ten million messages a year: opening it, and counting a history.

The dashboard reads sums only, so these have their full size, besides the replies of a week at that pace.
"""

import time
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from accounts.models import User
from benchmarks.figures import Figure, Report, percentile
from benchmarks.pages import opened
from benchmarks.people import Person, sign_in
from benchmarks.site import Server, Site
from conversations.models import Usage, UsageMark
from conversations.usage.counting import catch_up
from conversations.usage.reading import TIME_RANGES

REPLIES = 100_000
A_DAY = 13_700
"""Replies per day: half of ten million messages in 365 days."""

PEOPLE, ASKING = 5_000, 500
WARM_UP, OPENINGS = 10, 30
NEW = 300
"""Replies of the last minute, replaced before each opening."""

FILL = """
WITH made AS MATERIALIZED (
    SELECT number, asked_at, started_at, conversation.id AS conversation_id, conversation.user_id,
        overlay(lpad(to_hex((extract(epoch FROM asked_at) * 1000)::bigint), 12, '0') || substr(md5(number::text), 1, 20)
            PLACING '7' FROM 13)::uuid AS key
    FROM (SELECT number, now() - number * interval '1 day' / %(a_day)s AS asked_at
        FROM generate_series(%(replies)s - 1, 0, -1) AS number) AS asked
    CROSS JOIN LATERAL (SELECT asked_at + random() * interval '50 milliseconds' AS started_at) AS began
    JOIN (SELECT id, user_id, row_number() OVER () AS place FROM conversations_conversation
        WHERE title = 'asking') AS conversation ON place = 1 + floor(power(abs(sin(number)), 2) * %(asking)s)
    ORDER BY asked_at
), said AS (
    INSERT INTO conversations_message (id, conversation_id, user_id, role, content, created_at)
    SELECT key, conversation_id, user_id, 'assistant', '', asked_at FROM made
)
INSERT INTO conversations_generation (message_id, conversation_id, status, model, draft, worker, error_code,
    error_detail, error, prompt_tokens, completion_tokens, heartbeat_at, started_at, first_token_at, finished_at)
SELECT key, conversation_id, CASE WHEN number %% 60 = 0 THEN 'failed' ELSE 'complete' END, 'model ' || number %% 6, '',
    %(worker)s, CASE WHEN number %% 60 = 0 THEN 'code ' || number %% 4 ELSE '' END, '', '', 900, 200, started_at,
    started_at, started_at + (0.2 + random() * 3) * interval '1 second', started_at + interval '9 seconds'
FROM made
"""

FORGET = """
WITH gone AS (DELETE FROM conversations_generation WHERE worker = %(worker)s RETURNING message_id)
DELETE FROM conversations_message WHERE id IN (SELECT message_id FROM gone)
"""

CONVERSATIONS = """
INSERT INTO conversations_conversation (id, user_id, title, created_at, updated_at)
SELECT gen_random_uuid(), id, 'asking', now(), now() FROM accounts_user ORDER BY id LIMIT %(asking)s
"""

SUMS = """
TRUNCATE conversations_usage, conversations_usagelatency, conversations_usagepeople, conversations_usagepresence;

CREATE TEMPORARY TABLE step ON COMMIT DROP AS
SELECT 'day' AS grain, date_trunc('day', now(), 'UTC') - number * interval '1 day' AS began_at,
    interval '1 day' AS length, 90 AS back FROM generate_series(0, 364) AS number
UNION ALL SELECT 'hour', date_trunc('hour', now(), 'UTC') - number * interval '1 hour', interval '1 hour', 24
FROM generate_series(0, 80) AS number;

INSERT INTO conversations_usage (grain, began_at, model, status, error_code, replies, prompt_tokens, completion_tokens)
SELECT grain, began_at, 'model ' || model, CASE code WHEN 0 THEN 'complete' WHEN 1 THEN 'stopped' ELSE 'failed' END,
    CASE WHEN code > 1 THEN 'code ' || code ELSE '' END, 100, 90000, 20000
FROM step, generate_series(0, 5) AS model, generate_series(0, 6) AS code;

INSERT INTO conversations_usagelatency (grain, began_at, model, measure, bucket, replies)
SELECT grain, began_at, 'model ' || model, measure, bucket, sum(40)
FROM step, generate_series(0, 5) AS model, unnest(ARRAY['added', 'first_token']) AS measure,
    generate_series(30, 69) AS bucket
GROUP BY grain, began_at, measure, bucket, GROUPING SETS ((model), ());

INSERT INTO conversations_usagepeople (grain, began_at, previous, people)
SELECT grain, began_at, CASE WHEN number <= back THEN began_at - number * length END, 55
FROM step, generate_series(1, back + 1) AS number;

INSERT INTO conversations_usagepresence (grain, began_at, user_id)
SELECT grain, began_at, id FROM step, accounts_user
WHERE grain = 'day' AND began_at > now() - interval '94 days' OR grain = 'hour' AND random() < 0.2
"""


def measure(site: Site, *, replies: int = REPLIES, openings: int = OPENINGS) -> Report:
    """Count the replies of a week, then open each time range on a server as in production."""
    person, *_ = sign_in(PEOPLE)
    User.objects.filter(pk=person.user.pk).update(is_staff=True, is_superuser=True)
    User.objects.update(date_joined="2020-01-01T00:00:00Z")
    sizes: dict[str, int | str] = {"replies": replies, "a_day": A_DAY, "asking": ASKING, "worker": "worker"}
    with connection.cursor() as cursor:
        cursor.execute(CONVERSATIONS, sizes)
        cursor.execute(FILL, sizes)
        cursor.execute("ANALYZE")
    begun = time.perf_counter()
    catch_up()
    counted = time.perf_counter() - begun
    with connection.cursor() as cursor:
        cursor.execute(SUMS)
        cursor.execute("VACUUM ANALYZE")
    with site.superuser() as superuser:
        superuser.execute("CHECKPOINT")
    figures = [Figure("dashboard: counting a history", replies / counted, "replies/s")]
    slowest = 0.0
    with site.server() as server:
        for time_range in TIME_RANGES:
            path = f"/admin/?period={time_range.key}"
            times = [_opened(server, person, path) for _ in range(WARM_UP + openings)][WARM_UP:]
            slowest = max(slowest, percentile(times, 0.95))
            figures.append(Figure(f"dashboard: opening {time_range.name}, p50", percentile(times, 0.5), "ms"))
            figures.append(Figure(f"dashboard: opening {time_range.name}, p95", percentile(times, 0.95), "ms"))
    figures.append(Figure("dashboard at 10 million messages: the slowest of these", slowest, "ms", most=200))
    return Report(figures, troubles=[] if Usage.objects.exists() else ["Nothing was counted."])


def _opened(server: Server, person: Person, path: str) -> float:
    """Milliseconds to open the page two minutes after the last count, with a busy minute since."""
    sizes: dict[str, int | str] = {"replies": NEW, "a_day": NEW * 24 * 60, "asking": ASKING, "worker": "last minute"}
    with connection.cursor() as cursor:
        cursor.execute(FORGET, sizes)
        cursor.execute(FILL, sizes)
    UsageMark.objects.update(counted_to=timezone.now() - timedelta(minutes=2))
    return opened(server, person, path)
