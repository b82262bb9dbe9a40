"""Run the benchmarks: `python -m benchmarks [PART ...]`, or `make bench ARGS="..."`."""

import argparse
import signal
import sys
from collections.abc import Callable
from types import FrameType

import django
from django.db import connection

from benchmarks import machine
from benchmarks.figures import Report
from benchmarks.site import Site
from benchmarks.table import table, write_down

PARTS = (
    "load",
    "api",
    "saturation",
    "tools",
    "memory",
    "checkpoints",
    "browser",
    "page",
    "long_chats",
    "transfer",
    "prune",
    "dashboard",
    "staff",
    "search",
    "migrations",
    "hostile",
)
TROUBLES_MAX = 5
"""Most sentences about problems that one part reports."""

HEADINGS = ("figure", "measured", "bar", "met")


def main() -> None:
    """Measure and print; after a complete run, write the tables into the README."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures one server process.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; all of them by default")
    parser.add_argument("--at", type=int, nargs="+", metavar="N", help="how many replies at once, for `load`")
    parser.add_argument("--quick", action="store_true", help="shorter and less exact")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if sys.platform != "linux":
        parser.error("the benchmarks read /proc and choose cores: they need Linux")
    signal.signal(signal.SIGTERM, _end)
    chosen = [part for part in PARTS if part in (options.parts or PARTS)]
    whole = not (options.parts or options.at or options.quick)
    with Site() as site:
        django.setup()
        measures = parts(site, options.at, quick=options.quick)
        try:
            reports = {part: measured(part, measures[part]) for part in chosen}
        finally:
            # The end of the process would wait for its threads.
            connection.close_pool()  # type: ignore[attr-defined] # a method of PostgreSQL connections
    say(machine.description())
    if whole:
        write_down(machine.description(), written(reports))


def written(reports: dict[str, Report]) -> list[str]:
    """Texts for the README after a complete run: problems, which limit how far to trust it, then tables."""
    troubles = [f"**{text}**" for report in reports.values() for text in report.troubles[:TROUBLES_MAX]]
    figures = [figure.cells for report in reports.values() for figure in report.figures]
    return [
        *dict.fromkeys(troubles),
        table(HEADINGS, figures),
        *(text for report in reports.values() for text in report.tables),
    ]


def parts(site: Site, at: list[int] | None, *, quick: bool) -> dict[str, Callable[[], Report]]:
    """Functions that measure each part, by name."""
    # Imported late, because they import models, which needs Django's set-up.
    from benchmarks import (
        api,
        browser,
        checkpoints,
        dashboard,
        hostile,
        load,
        long_chats,
        memory,
        migrations,
        page,
        prune,
        saturation,
        search,
        staff,
        tools,
        transfer,
    )

    if quick:
        return {
            "load": lambda: load.measure(site, at or (1, 50, 200), rounds_of_one=1),
            "api": lambda: api.measure(site, count=50),
            "saturation": lambda: saturation.measure(site, people=200, rise=6, window=6),
            "tools": lambda: tools.measure(site, rounds=20, runs=2),
            "memory": lambda: memory.measure(site, counts=(10, 100)),
            "checkpoints": lambda: checkpoints.measure(count=50),
            "browser": lambda: browser.measure(site, turns=3),
            "transfer": lambda: transfer.measure(site, conversations=50),
            "page": lambda: page.measure(site, visits=3, usual=2, long=1),
            "long_chats": lambda: long_chats.measure(site, openings=15),
            "prune": lambda: prune.measure(site, few=10_000, many=40_000, people=20),
            "dashboard": lambda: dashboard.measure(site, replies=20_000, openings=8),
            "staff": lambda: staff.measure(site, messages=40_000, openings=5),
            "search": lambda: search.measure(messages=50_000, rounds=5),
            "hostile": lambda: hostile.measure(site, every=8),
            "migrations": lambda: migrations.measure(messages=20_000),
        }
    return {
        "load": lambda: load.measure(site, at or load.LEVELS),
        "api": lambda: api.measure(site),
        "saturation": lambda: saturation.measure(site),
        "tools": lambda: tools.measure(site),
        "memory": lambda: memory.measure(site),
        "checkpoints": checkpoints.measure,
        "browser": lambda: browser.measure(site),
        "transfer": lambda: transfer.measure(site),
        "page": lambda: page.measure(site),
        "long_chats": lambda: long_chats.measure(site),
        "prune": lambda: prune.measure(site),
        "dashboard": lambda: dashboard.measure(site),
        "staff": lambda: staff.measure(site),
        "search": search.measure,
        "hostile": lambda: hostile.measure(site),
        "migrations": migrations.measure,
    }


def measured(part: str, measure: Callable[[], Report]) -> Report:
    """The part's report, printed as soon as it is complete; removes all conversations of earlier parts first."""
    say(f"{part} ...")
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE conversations_conversation CASCADE")
    report = measure()
    for text in (*report.tables, *report.troubles[:TROUBLES_MAX]):
        say(text)
    if report.figures:
        say(table(HEADINGS, [figure.cells for figure in report.figures]))
    return report


def say(text: str) -> None:
    """Print a text with an empty line."""
    sys.stdout.write(f"{text}\n\n")
    sys.stdout.flush()


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
