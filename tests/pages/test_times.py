"""Times in words."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from conversations.templatetags.times import ago, time_ago

NOW = datetime(2026, 5, 10, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("past", "words"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 min ago"),
        (timedelta(minutes=59, seconds=59), "59 min ago"),
        (timedelta(hours=1), "1 h ago"),
        (timedelta(hours=23, minutes=59), "23 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=6, hours=23), "6 days ago"),
        (timedelta(days=7), "3 May 2026"),
        (timedelta(days=400), "5 Apr 2025"),
    ],
)
def test_a_time_is_told_as_people_say_it(past: timedelta, words: str) -> None:
    assert ago(NOW - past, NOW) == words


def test_a_day_is_the_readers() -> None:
    with timezone.override(ZoneInfo("America/New_York")):
        assert ago(NOW - timedelta(days=7), NOW) == "2 May 2026"


def test_who_asks_is_told_the_day_and_the_minute() -> None:
    with timezone.override(ZoneInfo("America/New_York")):
        assert time_ago(NOW - timedelta(days=7)) == (
            '<time datetime="2026-05-02T21:30:00-04:00" title="2 May 2026, 21:30" data-ago>2 May 2026</time>'
        )
