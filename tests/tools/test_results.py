"""What a tool returns, as the model and the page get it."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, model_serializer
from pytest_django import Settings

from accounts.models import User
from tools.define import Cell, Table
from tools.results import CELL_MAX_CHARS, Result, Unusable, bound

KEY = UUID("0198a6a2-0000-7000-8000-000000000001")


class Task(BaseModel):
    """A task as a tool may return it."""

    title: str
    due: date | None = None


class Unwilling(BaseModel):
    """A model that cannot be written."""

    @model_serializer
    def written(self) -> str:
        raise RuntimeError("no words")


@dataclass
class Point:
    """A place on a plane."""

    x: int


class Color(Enum):
    """A color with a value."""

    RED = "red"


def size(text: str) -> int:
    return len(text.encode())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "Done."),
        ("Added.", "Added."),
        ("", ""),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        (Task(title="milk", due=date(2026, 12, 1)), '{"title": "milk", "due": "2026-12-01"}'),
        ([Task(title="ä")], '[{"title": "ä", "due": null}]'),
        ({"a": [1, 2.5, True, None]}, '{"a": [1, 2.5, true, null]}'),
        ({1: Decimal("0.10"), "b": KEY}, f'{{"1": "0.10", "b": "{KEY}"}}'),
        ([float("nan"), float("-inf")], '["nan", "-inf"]'),
        (datetime(2026, 12, 1, tzinfo=UTC), '"2026-12-01T00:00:00Z"'),
        (Point(3), '{"x": 3}'),
        (Color.RED, '"red"'),
        ({"x"}, '["x"]'),
        (0, "0"),
        (False, "false"),
    ],
)
def test_a_value_is_text_for_the_model(value: Any, text: str) -> None:
    result = Result.of(value)
    assert result.text == text
    assert not result.is_cut
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_what_is_no_text_is_kept_as_json_too() -> None:
    assert Result.of(Task(title="milk")).data == {"title": "milk", "due": None}
    assert Result.of("milk").data is None


def test_a_table_is_csv_for_the_model_and_a_table_for_the_page() -> None:
    rows: list[tuple[Cell, ...]] = [
        ("milk, fresh", 2, date(2026, 12, 1), None),
        ('"bread"\nwhite', Decimal("1.50"), True, 0.5),
    ]
    result = Result.of(Table(("article", "a", "b", "c"), rows))
    assert list(csv.reader(result.text.splitlines(keepends=True))) == [
        ["article", "a", "b", "c"],
        ["milk, fresh", "2", "2026-12-01", ""],
        ['"bread"\nwhite', "1.50", "True", "0.5"],
    ]
    stored = json.loads(json.dumps(result.to_json()))
    assert stored["table"] == {
        "columns": ["article", "a", "b", "c"],
        "rows": [["milk, fresh", 2, "2026-12-01", None], ['"bread"\nwhite', "1.50", True, 0.5]],
        "links": [],
    }
    again = Result.from_json(stored)
    assert again.text == result.text
    assert again.table
    assert again.table.rows[0] == ("milk, fresh", 2, "2026-12-01", None)


def test_links_of_rows_are_told_to_the_model_and_kept() -> None:
    result = Result.of(Table(("task",), [("milk",), ("bread",)], ["/tasks/1/", "javascript:alert(1)"]))
    assert result.text == "task,link\nmilk,/tasks/1/\nbread,"
    assert Result.from_json(result.to_json()).table == Table(("task",), [("milk",), ("bread",)], ["/tasks/1/", None])


def test_an_empty_table_says_so() -> None:
    assert Result.of(Table(("task",), [])).text == "task\n\n(The table has no rows.)"


@pytest.mark.parametrize("character", ["x", "ä", "語", "😀"])
def test_a_long_text_is_cut_with_its_true_length(character: str) -> None:
    result = Result.of(character * 10_000_000)
    assert result.is_cut
    assert bound() - 250 < size(result.text) <= bound()
    kept = result.text.count(character)
    assert result.text.endswith(f"\n\n(Cut: these are the first {kept:,} of 10,000,000 characters.)")
    assert "\ufffd" not in result.text


def test_a_text_that_just_fits_is_whole(settings: Settings) -> None:
    settings.CHAT_TOOL_RESULT_TOKENS = 200
    assert Result.of("x" * 600).text == "x" * 600
    assert Result.of("x" * 601).is_cut


def test_long_json_is_cut_and_no_longer_kept_as_such() -> None:
    result = Result.of(["x" * 100] * 100_000)
    assert result.is_cut
    assert result.data is None
    assert size(result.text) <= bound()
    assert len(json.dumps(result.to_json())) < 2 * bound()


def test_a_long_table_is_cut_between_rows() -> None:
    result = Result.of(Table(("number", "words"), [(number, "ab " * 10) for number in range(100_000)], ["/"] * 100_000))
    assert result.is_cut
    assert size(result.text) <= bound()
    assert result.table
    count = len(result.table.rows)
    assert len(result.table.links) == count
    assert result.text.endswith(f"\n\n(Cut: these are the first {count:,} of 100,000 rows.)")
    rows = list(csv.reader(result.text.partition("\n\n(Cut")[0].splitlines()))
    assert rows[-1] == [str(count - 1), "ab " * 10, "/"]
    assert len(rows) == count + 1


def test_a_huge_cell_is_cut_by_itself() -> None:
    result = Result.of(Table(("words",), [("x" * 10_000_000,), ("y",)]))
    assert result.table
    assert len(str(result.table.rows[0][0])) == CELL_MAX_CHARS
    assert result.table.rows[1] == ("y",)


def test_a_row_that_is_too_long_is_not_split(settings: Settings) -> None:
    settings.CHAT_TOOL_RESULT_TOKENS = 200
    result = Result.of(Table(("a", "b"), [("x" * 300, "y" * 300)]))
    assert result.text == "a,b\n\n(Cut: these are the first 0 of 1 rows.)"


def test_a_table_that_is_too_wide_is_unusable(settings: Settings) -> None:
    settings.CHAT_TOOL_RESULT_TOKENS = 200
    with pytest.raises(Unusable, match="with 500 columns, which is too wide"):
        Result.of(Table(["column"] * 500, []))


def test_nul_and_lone_surrogates_are_not_stored() -> None:
    assert Result.of("a\0b\ud800c").text == "ab\ufffdc"
    assert Result.of("\ud83d\ude00").text == "😀"
    assert Result.of({"a\0": ["\udfff"]}).data == {"a": ["\ufffd"]}
    table = Result.of(Table(("a\0",), [("b\0\ud800",)])).table
    assert table == Table(("a",), [("b\ufffd",)])


def numbers() -> Iterator[int]:
    yield 1


async def answer() -> str:
    return ""


class Hidden:
    """Something that nothing can write, with a secret in its name for people."""

    def __repr__(self) -> str:
        return "the secret"


def circle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def deep() -> list[Any]:
    found: list[Any] = []
    for _ in range(100_000):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (numbers, "a generator: it must return a list"),
        (lambda: iter([1]), "a list_iterator: it must return a list"),
        (lambda: answer(), "a coroutine: its function must be asynchronous"),
        (User.objects.all, "a UserQuerySet: it must return a list"),
        (lambda: User(email="a@example.org"), "a User, which cannot be written as JSON"),
        (Hidden, "a Hidden, which cannot be written as JSON"),
        (lambda: [Hidden()], "a list, which cannot be written as JSON"),
        (lambda: b"\xff", "a bytes, which cannot be written as JSON"),
        (Unwilling, "a Unwilling, which cannot be written as JSON"),
        (circle, "a list, which cannot be written as JSON"),
        (deep, "a list, which cannot be written as JSON"),
        (lambda: 10**5_000, "a int, which cannot be written as JSON"),
    ],
)
def test_what_cannot_be_stored_is_refused_in_words_without_its_contents(make: Any, words: str) -> None:
    with pytest.raises(Unusable, match=words) as refused:
        Result.of(make())
    assert "secret" not in str(refused.value)
