"""What people write on a command line is understood, or refused with a sentence."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from conversations.management import arguments
from conversations.management.arguments import Age

NOW = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("12h", NOW - timedelta(hours=12)),
        ("90d", NOW - timedelta(days=90)),
        ("8w", NOW - timedelta(weeks=8)),
        ("1 week", NOW - timedelta(days=7)),
        (" 3 Weeks ", NOW - timedelta(days=21)),
        ("45 minutes", NOW - timedelta(minutes=45)),
        ("30 seconds", NOW - timedelta(seconds=30)),
        ("0d", NOW),
        ("3 months", datetime(2025, 12, 31, 12, 30, tzinfo=UTC)),
        ("6mo", datetime(2025, 9, 30, 12, 30, tzinfo=UTC)),
        ("1mo", datetime(2026, 2, 28, 12, 30, tzinfo=UTC)),
        ("25mo", datetime(2024, 2, 29, 12, 30, tzinfo=UTC)),
        ("2 years", datetime(2024, 3, 31, 12, 30, tzinfo=UTC)),
        ("1yr", datetime(2025, 3, 31, 12, 30, tzinfo=UTC)),
    ],
)
def test_an_age_is_the_moment_that_people_mean(text: str, before: datetime) -> None:
    assert arguments.age(text).before(NOW) == before


@pytest.mark.parametrize(
    ("now", "months", "before"),
    [
        (datetime(2024, 2, 29, tzinfo=UTC), 12, datetime(2023, 2, 28, tzinfo=UTC)),
        (datetime(2024, 2, 29, tzinfo=UTC), 48, datetime(2020, 2, 29, tzinfo=UTC)),
        (datetime(2026, 1, 31, tzinfo=UTC), 1, datetime(2025, 12, 31, tzinfo=UTC)),
        (datetime(2026, 1, 31, tzinfo=UTC), 2, datetime(2025, 11, 30, tzinfo=UTC)),
        (datetime(2026, 12, 1, tzinfo=UTC), 12, datetime(2025, 12, 1, tzinfo=UTC)),
    ],
)
def test_a_month_that_is_shorter_ends_on_its_last_day(now: datetime, months: int, before: datetime) -> None:
    assert Age("", months=months).before(now) == before


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("0", 0), ("90s", 90), ("1.5", 1.5), ("15min", 900), ("2m", 120), ("1h", 3600), (" 2 Hours ", 7200)],
)
def test_a_duration_is_so_many_seconds(text: str, seconds: float) -> None:
    assert arguments.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "nan", "inf", "-5", "1e3", "soon", "1mo", "h", "1h30"])
def test_a_duration_that_makes_no_sense_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a duration: write seconds"):
        arguments.duration(text)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("prune_conversations", "--older-than=90d", "--max-seconds=nan"), "not a duration"),
        (("aggregate_usage", "--max-seconds=-5"), "not a duration"),
        (("doctor", "--pause=later"), "not a duration"),
        (("doctor", "--pause=0"), "between 1s"),
        (("doctor", "--pause=10min"), "and 60s"),
    ],
)
def test_a_command_says_so(command: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command(*command)
