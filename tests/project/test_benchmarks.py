"""The benchmarks' arithmetic and reading of answers; that they run is shown by `make bench`."""

import asyncio
import math
from functools import partial
from urllib.parse import urlsplit

from benchmarks.__main__ import written
from benchmarks.client import Times, Turn, play
from benchmarks.figures import Figure, Report, percentile
from benchmarks.people import sign_in
from benchmarks.rounds import Pace
from benchmarks.saturation import part_within
from benchmarks.site import production_command
from benchmarks.table import BEGIN, END, replaced, table
from conversations.models import Message
from tests.kit.server import ChatServer


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
    program, application, *options = production_command("127.0.0.1", 8123)
    assert (program, application) == ("uvicorn", "chatbot.asgi:application")
    assert options[:4] == ["--host", "127.0.0.1", "--port", "8123"]
    assert "--loop" in options


def test_a_run_replaces_the_tables_of_the_last_one() -> None:
    page = f"# Title\n\n{BEGIN}\n\nold\n\n{END}\n\nfoot\n"
    once = replaced(page, "A computer", ["| new |"])
    assert "old" not in once
    assert "A computer.\n\n| new |\n\n" in once
    assert once.startswith("# Title\n\n")
    assert once.endswith("\n\nfoot\n")
    assert replaced(once, "A computer", ["| new |"]) == once


def test_a_run_that_was_disturbed_says_so_above_its_tables() -> None:
    disturbed = Report([Figure("speed", 5, "")], ["| load |"], ["Other processes took 40 % of a core."])
    trouble, figures, *tables = written({"load": disturbed, "saturation": Report(tables=["| saturation |"])})
    assert trouble == "**Other processes took 40 % of a core.**"
    assert "speed" in figures
    assert tables == ["| load |", "| saturation |"]


def test_a_reply_counts_for_the_part_of_it_that_came_in_the_window() -> None:
    reply = Times(first=1.0, last=5.0, ended_at=105.0)
    assert [part_within(reply, *window) for window in ((90, 110), (103, 110), (90, 102), (102, 104), (110, 120))] == [
        1.0,
        0.5,
        0.25,
        0.5,
        0.0,
    ]
    assert part_within(Times(first=5.0, last=5.0, ended_at=105.0), 100, 110) == 1.0


def test_the_load_client_follows_a_reply_to_its_end(server: ChatServer) -> None:
    pace = Pace(tokens=20, interval=0.001, first=0.001)
    times = take_turn(server, pace.message, pace.words)
    assert times.failure == ""
    assert 0 < times.answered < times.first <= times.last
    assert Message.objects.get(role="assistant").content.strip().encode() == pace.words


def test_the_load_client_notes_a_reply_that_is_cut_short(server: ChatServer) -> None:
    assert "holds another text" in take_turn(server, "script: close", b"The answer begins and ends").failure
    assert "answered with" in take_turn(server, " ", b"Nothing is said").failure


def take_turn(server: ChatServer, message: str, words: bytes) -> Times:
    """The times of one turn by somebody who has just signed in."""
    port = urlsplit(server.url).port
    assert port
    (person,) = sign_in(1)
    return asyncio.run(play(partial(Turn, person, message, port=port, words=words), port))
