"""Markdown tables, printed and stored in the README."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

README = Path(__file__).resolve().parent / "README.md"
BEGIN, END = "<!-- measured -->", "<!-- end of what was measured -->"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose source is readable too."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = [headings, ["-" * width for width in widths], *rows]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |" for line in lines
    )


def write_down(machine: str, texts: Sequence[str]) -> None:
    """Replace the tables and sentences in the README, with the day and the machine."""
    README.write_text(replaced(README.read_text(), machine, texts))


def replaced(page: str, machine: str, texts: Sequence[str]) -> str:
    """The page with these texts between its two marks. Raises `ValueError` when it has none."""
    head, found, rest = page.partition(BEGIN)
    _, found_end, foot = rest.partition(END)
    if not (found and found_end):
        raise ValueError(f"the page lacks {BEGIN} and {END}")
    day = datetime.now(UTC).date()
    return "\n\n".join([f"{head}{BEGIN}", f"Measured on {day}: {machine}.", *texts, f"{END}{foot}"])
