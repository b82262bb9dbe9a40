"""What a developer imports: the decorator, and what a tool may get and return."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tools.define import PROGRESS_MAX_CHARS, Call, Table, tool


def test_a_decorated_function_is_called_as_before() -> None:
    @tool
    def double(number: int) -> int:
        """Double a number."""
        return 2 * number

    @tool(confirm=True, step="Halving {number}")
    def halve(number: int) -> float:
        """Halve a number."""
        return number / 2

    assert double(4) == 8
    assert halve(number=4) == 2
    assert double.__doc__ == "Double a number."


def test_a_table_holds_texts_numbers_and_dates() -> None:
    row = ("milk", 2, 1.5, Decimal("0.99"), date(2026, 12, 1), True, None)
    table = Table(("a", "b", "c", "d", "e", "f", "g"), [row])
    assert table.rows == (row,)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (((), []), "needs columns"),
        ((("a", "b"), [(1, 2), (1,)]), "Row 2 has 1 cells, and the table has 2 columns"),
        ((("a",), [(object(),)]), "Row 1 has a object"),
        ((("a",), [([1],)]), "Row 1 has a list"),
        ((("a",), [(1,), (2,)], ["/one/"]), "2 rows and 1 links"),
    ],
)
def test_a_table_of_another_shape_is_refused(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        Table(*arguments)


@pytest.mark.parametrize("link", ["/tasks/1/", "https://example.org/a?b=c", "http://example.org", "/", None])
def test_a_link_to_this_site_or_by_http_is_kept(link: str | None) -> None:
    assert Table(("a",), [(1,)], [link]).links == (link,)


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/a\n/b",
        " https://example.org",
        "java\tscript:alert(1)",
        "tasks/1",
        "",
        'https://example.org/"onclick=',
        "https://example.org/<b>",
        "/" + "a" * 2_000,
        5,
    ],
)
def test_any_other_link_is_dropped(link: Any) -> None:
    assert Table(("a",), [(1,)], [link]).links == (None,)


def test_a_progress_is_one_short_line() -> None:
    told: list[str] = []
    call = Call(uuid4(), None, told.append)
    call.progress("Half\nof it\0 \u202edone")
    call.progress("x" * 10_000)
    call.progress(" \n")
    assert told[0] == "Half of it done"
    assert len(told[1]) == PROGRESS_MAX_CHARS
    assert len(told) == 2


def test_a_call_without_listener_tells_nobody() -> None:
    Call(uuid4()).progress("Half of it")
