"""The benchmarks' arithmetic and reading of answers; that they run is shown by `make bench`."""

import math

from benchmarks.figures import Figure, percentile
from benchmarks.site import production_command
from benchmarks.table import BEGIN, END, replaced, table


def test_a_percentile_is_one_of_the_values() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.95, 1.0)] == [1.0, 3.0, 5.0, 5.0]


def test_what_never_came_clears_no_bar() -> None:
    assert math.isnan(percentile([], 0.5))
    assert not Figure("first token", math.nan, "ms", most=250).is_met
    assert not Figure("tokens", math.nan, "tokens/s", least=10_000).is_met


def test_a_figure_says_its_bar_and_whether_it_is_met() -> None:
    assert Figure("first token", 251.4, "ms", most=250).cells == ("first token", "251 ms", "at most 250 ms", "**no**")
    assert Figure("speed", 12_345.6, "tokens/s", least=10_000).cells[1:] == (
        "12,346 tokens/s",
        "at least 10,000 tokens/s",
        "yes",
    )
    assert Figure("threads", 14, "").cells == ("threads", "14", "", "")


def test_a_table_is_readable_as_text() -> None:
    assert table(("a", "b"), [("longer", "1")]) == "| a      | b |\n| ------ | - |\n| longer | 1 |"


def test_the_server_starts_as_in_the_container() -> None:
    program, application, *options = production_command()
    assert (program, application) == ("uvicorn", "chatbot.asgi:application")
    assert "--loop" in options


def test_a_run_replaces_the_tables_of_the_last_one() -> None:
    page = f"# Title\n\n{BEGIN}\n\nold\n\n{END}\n\nfoot\n"
    once = replaced(page, "A computer", ["| new |"])
    assert "old" not in once
    assert "A computer.\n\n| new |\n\n" in once
    assert once.startswith("# Title\n\n")
    assert once.endswith("\n\nfoot\n")
    assert replaced(once, "A computer", ["| new |"]) == once
