"""Run the benchmarks: `python -m benchmarks [PART ...]`, or `make bench ARGS="..."`."""

import argparse
import signal
import sys
from types import FrameType

import django
import uvloop

from benchmarks import machine
from benchmarks.figures import Figure
from benchmarks.site import Site
from benchmarks.table import table

PARTS = ("load",)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures one server process.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; all of them by default")
    parser.add_argument("--at", type=int, nargs="+", metavar="N", help="how many replies at once, for `load`")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if sys.platform != "linux":
        parser.error("the benchmarks read /proc and choose cores: they need Linux")
    signal.signal(signal.SIGTERM, _end)
    figures: list[Figure] = []
    with Site() as site:
        django.setup()
        # These know the models, which can be imported only after the set-up.
        from benchmarks import load, people

        say(f"{machine.description()}")
        with site.server() as server:
            counts = options.at or load.LEVELS
            crowd = people.sign_in(max(*counts, load.WARM_UPS))
            levels = uvloop.run(load.measure(site, server, crowd, counts))
        say(table(load.HEADINGS, [load.cells(level) for level in levels]))
        for level in levels:
            figures += level.figures
            for failure in sorted(set(level.through.failures + level.direct.failures))[:5]:
                say(f"at {level.count}: {failure}")
    say(table(("figure", "measured", "bar", "met"), [figure.cells for figure in figures]))


def say(text: str) -> None:
    """Print a text."""
    sys.stdout.write(f"{text}\n\n")
    sys.stdout.flush()


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
