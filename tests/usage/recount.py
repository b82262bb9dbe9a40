"""A report held against a plain recount of the replies themselves."""

from datetime import datetime

import pytest
from django.db import connection

from conversations.models import Grain, Measure
from conversations.usage import buckets
from conversations.usage.reading import Numbers, Report
from tests.usage.rows import DAY, HOUR

RECOUNT = """
SELECT count(*), count(*) FILTER (WHERE status = 'failed'), coalesce(sum(prompt_tokens), 0),
    coalesce(sum(completion_tokens), 0), count(DISTINCT user_id),
    percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM first_token_at - started_at) * 1000),
    percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - created_at) * 1000)
FROM conversations_generation JOIN conversations_message ON id = message_id
WHERE status NOT IN ('pending', 'running', 'interrupted') AND created_at >= %s AND created_at < %s
    AND model LIKE %s
"""


def check(numbers: Numbers, begin: datetime, end: datetime, model: str = "%") -> None:
    """The numbers are those of a plain recount."""
    with connection.cursor() as cursor:
        cursor.execute(RECOUNT, [begin, end, model])
        turns, failed, prompt, completion, people, first, added = cursor.fetchone()
    found = (numbers.turns, numbers.failed.total(), numbers.prompt_tokens, numbers.completion_tokens)
    assert found == (turns, failed, prompt, completion), (begin, end)
    if model == "%":
        assert numbers.people == people, (begin, end)
    for measure, percentiles in ((Measure.FIRST_TOKEN, first), (Measure.ADDED, added)):
        if percentiles:
            times = numbers.times[measure]
            assert [times.p50, times.p95] == pytest.approx(list(map(float, percentiles)), rel=buckets.RELATIVE_ERROR)
        else:
            assert measure not in numbers.times


def check_all(found: Report) -> None:
    """Every number of the report is that of a recount."""
    step = HOUR if found.time_range.grain == Grain.HOUR else DAY
    begin, end = min(found.steps), max(found.steps) + step
    assert len(found.steps) == found.time_range.steps
    check(found.whole, begin, end)
    check(found.before, begin - (end - begin), begin)
    for began, numbers in found.steps.items():
        check(numbers, began, began + step)
    for model, numbers in found.models.items():
        check(numbers, begin, end, model)
