"""Public docstrings stand alone: an editor shows each of them by itself, without the code around it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.kit.server import ROOT

FOLDERS = ("accounts", "benchmarks", "chatbot", "conversations", "tests/kit", "tests/support", "tasks", "tools")
WORDS_LEAST = 5

type Place = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> list[Path]:
    """The Python files of the product, of its tests' tools and of its benchmarks, without migrations."""
    files = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")]
    return sorted(file for file in files if "migrations" not in file.parts)


def text_of(statement: ast.stmt) -> str | None:
    """The text of a statement that is nothing but a text, as a docstring is; else None."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return statement.value.value if isinstance(statement.value.value, str) else None
    return None


def is_public(name: str) -> bool:
    return not name.startswith("_") or name.endswith("__")


def docstrings(place: Place, name: str = "") -> Iterator[tuple[int, str, str]]:
    """Line, name and text of each public docstring within a module, class or function, attributes' included."""
    if place.body and (text := text_of(place.body[0])) is not None:
        yield place.body[0].lineno, name or "the module", text
    for before, after in zip(place.body, place.body[1:], strict=False):
        if isinstance(before, ast.Assign | ast.AnnAssign) and (text := text_of(after)) is not None:
            target = ast.unparse(before.targets[0] if isinstance(before, ast.Assign) else before.target)
            if is_public(target.removeprefix("self.")):
                yield after.lineno, f"{name}.{target}".lstrip("."), text
    for inner in place.body:
        if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and is_public(inner.name):
            inside = isinstance(place, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from () if inside else docstrings(inner, f"{name}.{inner.name}".lstrip("."))


def faults(source: str) -> Iterator[tuple[int, str]]:
    """Line and fault of each public docstring that says too little by itself."""
    for line, name, text in docstrings(ast.parse(source)):
        if text.lower().startswith("the same"):
            yield line, f"the docstring of {name} begins with “The same”: on hover, nobody sees what it repeats"
        elif len(text.split()) < WORDS_LEAST:
            yield line, f"the docstring of {name} has fewer than {WORDS_LEAST} words: {text!r} says nothing on hover"


def test_each_public_docstring_says_by_itself_what_it_describes() -> None:
    files = sources()
    found = [
        f"{file.relative_to(ROOT)}:{line}: {fault}" for file in files for line, fault in faults(file.read_text("utf-8"))
    ]
    assert len(files) > 100
    assert not found, "\n".join(found)


def test_a_docstring_that_needs_its_neighbour_is_found_wherever_it_stands() -> None:
    source = '''
"""A module with docstrings that are too short."""

LIMIT = 3
"""Seconds."""


class Limit:
    """The same for a class."""

    unit: str
    """Its unit."""

    def __init__(self) -> None:
        """Begin to count from nothing at all."""
        self.count = 0
        """So far."""

    async def wait(self) -> None:
        """Wait."""

    def _hidden(self) -> None:
        """Hidden."""
'''
    names = [fault.split(" of ")[1].split(" ")[0] for _, fault in faults(source.lstrip())]
    assert names == ["LIMIT", "Limit", "Limit.unit", "Limit.__init__.self.count", "Limit.wait"]
