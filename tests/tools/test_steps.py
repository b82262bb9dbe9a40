"""What a call does, in words for people."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import models
from django.utils import timezone

from tests.tools.calling import tool_of
from tools.steps import STEP_MAX_CHARS


class Color(models.TextChoices):
    """A color with a name for people."""

    RED = "r", "Bright red"


class Mute:
    """A value that cannot be written."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def add_item(title: str, due: date | None = None, tags: tuple[str, ...] = ()) -> str:
    """Add an item."""
    return title


def test_without_a_sentence_the_name_tells_what_is_done() -> None:
    tool = tool_of(add_item)
    assert tool.step({"title": "milk"}) == "Add item"
    assert tool.step({}, done=True) == "Add item"


def test_a_sentence_has_the_arguments_in_it() -> None:
    tool = tool_of(add_item, step="Adding “{title}” to your list", done="Added “{title}” for {due}")
    assert tool.step({"title": "milk"}) == "Adding “milk” to your list"
    assert tool.step({"title": "milk", "due": date(2026, 12, 3)}, done=True) == "Added “milk” for 3 Dec 2026"


def test_a_sentence_without_a_second_one_is_used_for_both() -> None:
    assert tool_of(add_item, step="{title}, {{that is}} it").step({"title": "a"}, done=True) == "a, {that is} it"


@timezone.override("Asia/Tokyo")
def test_times_are_those_of_the_reader() -> None:
    tool = tool_of(add_item, step="{due}")
    assert tool.step({"due": datetime(2026, 12, 1, 20, 0, tzinfo=UTC)}) == "2 Dec 2026, 05:00"


@timezone.override("Asia/Tokyo")
def test_a_time_that_no_calendar_has_there_leaves_a_gap() -> None:
    tool = tool_of(add_item, step="{due}")
    assert tool.step({"due": datetime.max.replace(tzinfo=UTC)}) == "…"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("milk\n\nand  bread", "milk and bread"),
        ("a\0b\x07\u202ec\u2066d\ud800", "abcd"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("{due} {0.__class__}", "{due} {0.__class__}"),
        ("<b>", "<b>"),
        (None, "…"),
        ("", "…"),
        (Mute(), "…"),
        (datetime(2026, 12, 1, 9, 30, tzinfo=UTC), "1 Dec 2026, 09:30"),
        (True, "yes"),
        (3, "3"),
        (Color.RED, "Bright red"),
        ([1, 2, 3, 4, 5, 6, 7], "1, 2, 3, 4, 5 and 2 more"),
    ],
)
def test_strange_values_are_shown_plainly(value: Any, shown: str) -> None:
    tool = tool_of(add_item, step="[{title}]")
    assert tool.step({"title": value}) == f"[{shown}]"


def test_a_missing_argument_leaves_a_gap() -> None:
    assert tool_of(add_item, step="Adding “{title}”").step({"other": 1}) == "Adding “…”"


def test_a_sentence_is_bounded() -> None:
    tool = tool_of(add_item, step="{title} {tags} {title} {title}")
    step = tool.step({"title": "x" * 1_000_000, "tags": ["y" * 1_000] * 1_000})
    assert len(step) <= STEP_MAX_CHARS
