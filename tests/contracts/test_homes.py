"""What others keep private is used in few modules of the product, each of which says why, and nowhere else."""

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
OWN = ("accounts", "chatbot", "conversations", "tasks", "tools")

HOMES = {
    "accounts/allauth_inside.py": "How an attempt to sign in is counted, found and told lies between allauth's hooks.",
    "accounts/sessions.py": "A store can only forget a key that was made up by `_session_key`, as Django's own do.",
    "chatbot/core/database.py": "Which pools there are, and whose a connection is, neither Django nor psycopg tells.",
    "chatbot/web/django_asgi.py": "Django's own handler changes threads twice for every middleware.",
    "chatbot/web/hot_tags.py": "A turn's answer takes a seventh more, a page a fifth, with Django's own tags.",
    "chatbot/web/uvicorn_manners.py": "Its manners are options of its command line, which the operator may not know.",
    "accounts/staff_lists/changelists.py": "Django documents that a list may be replaced, not what it consists of.",
    "conversations/llm/client.py": "An answer that is not read whole: openai has it for its own calls only.",
    "conversations/llm/transport.py": "The package's four generators cost more than reading the answer.",
    "conversations/models/related.py": "That a row has no other one can be said in no other way without a query.",
}

DOCUMENTED = {
    "_asdict",  # of named tuples
    "_base_manager",
    "_db",  # of managers, for their heirs
    "_default_manager",
    "_exit",  # of the operating system
    "_fields",  # of named tuples
    "_meta",
    "_replace",  # of named tuples
    "_state",
}
"""What begins with an underscore and is documented all the same."""

INSIDE = (
    "django.contrib.admin.views.main",
    "django.core.handlers",
    "django.template.base",
    "django.template.defaulttags",
    "django.template.loader_tags",
    "uvicorn.config",
    "uvicorn.middleware",
)
"""Modules that begin with no underscore and that nobody documents; and every `internal` one."""

INSIDE_NAMES = {"_prefetched_objects_cache", "fields_cache", "render_context"}
RAW = "X-Stainless-Raw-Response"
"""The header by which openai tells itself what to do with an answer."""

PRIVATE = re.compile(r"_(?!_)\w*")


class Reader(ast.NodeVisitor):
    """Finds in one module what it uses of the private parts of others, as lines of text."""

    def __init__(self, path: Path) -> None:
        self.module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        self.found: list[str] = []
        self._inherited: list[set[str]] = []
        tree = ast.parse(path.read_text())
        self._imported = set(imported(tree))
        self._own = set(defined(tree))
        self.visit(tree)

    def tell(self, node: Any, what: str) -> None:
        """Write down a finding."""
        self.found.append(f"{self.module}, line {node.lineno}: {what}")

    def visit_Import(self, node: ast.Import) -> None:  # noqa: N802 (ast's name)
        """A module that is private."""
        for name in node.names:
            if is_inside(name.name):
                self.tell(node, f"imports {name.name}")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:  # noqa: N802 (ast's name)
        """A module that is private, or a name of it."""
        for name in node.names:
            full = f"{node.module}.{name.name}"
            if is_inside(full) and not full.startswith("__future__"):
                self.tell(node, f"imports {full}")

    def visit_ClassDef(self, node: ast.ClassDef) -> None:  # noqa: N802 (ast's name)
        """A class: what it replaces, and what its methods use of what they inherit."""
        inherited = names_of_ancestors(self.module, node.name) if node.bases and not self._inherited else set()
        for part in node.body:
            if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and part.name in inherited:
                self.tell(part, f"replaces {part.name} of what {node.name} inherits from")
        self._inherited.append(inherited)
        self.generic_visit(node)
        self._inherited.pop()

    def visit_Attribute(self, node: ast.Attribute) -> None:  # noqa: N802 (ast's name)
        """An attribute that is private: of an object, or inherited."""
        name = node.attr
        if name in INSIDE_NAMES:
            self.tell(node, f"uses {name}")
        elif PRIVATE.fullmatch(name) and name not in DOCUMENTED:
            if ast.unparse(node.value) in {"self", "cls", "super()"}:
                if self._inherited and name in self._inherited[-1]:
                    self.tell(node, f"uses {name}, which it inherits")
            elif name not in self._own:
                self.tell(node, f"uses {name}")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:  # noqa: N802 (ast's name)
        """A private attribute that is named by a text; the variables of a module of others."""
        function = node.func.id if isinstance(node.func, ast.Name) else ""
        if function in {"getattr", "hasattr", "setattr", "delattr"} and isinstance(node.args[1], ast.Constant):
            name = str(node.args[1].value)
            if PRIVATE.fullmatch(name) and name not in DOCUMENTED | self._own:
                self.tell(node, f"uses {name}")
        if function == "vars" and node.args and ast.unparse(node.args[0]) in self._imported:
            self.tell(node, f"uses the variables of {ast.unparse(node.args[0])}")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:  # noqa: N802 (ast's name)
        """A header by which a package speaks to itself."""
        if node.value == RAW:
            self.tell(node, f"sends {node.value}")


def is_inside(name: str) -> bool:
    """Whether a module, or a name of it, is private."""
    if name.split(".")[0] in OWN:
        return False
    parts = name.split(".")
    return (
        "internal" in parts
        or any(PRIVATE.fullmatch(part) for part in parts)
        or any(name == inside or name.startswith(f"{inside}.") for inside in INSIDE)
    )


def imported(tree: ast.AST) -> Iterator[str]:
    """The names that a module has imported from others."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in node.names:
                if not (isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in OWN):
                    yield name.asname or name.name


def defined(tree: ast.AST) -> Iterator[str]:
    """The names that a module defines: functions, classes, variables, attributes of its own objects."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            yield node.attr


def names_of_ancestors(module: str, name: str) -> set[str]:
    """The private names in the classes of other packages from which the class inherits."""
    ancestors = getattr(import_module(module), name).__mro__[1:]
    others = [each for each in ancestors if each.__module__.split(".")[0] not in (*OWN, "builtins", "typing", "abc")]
    return {word for each in others for word in re.findall(r"\b_(?!_)\w*", source(each))} - DOCUMENTED


def source(kind: type) -> str:
    """The text of a class; empty where it is compiled."""
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):
        return ""


def modules() -> list[Path]:
    """The product's modules."""
    found = [path for app in OWN for path in (ROOT / app).rglob("*.py")]
    return sorted(path for path in found if "migrations" not in path.parts)


def test_private_parts_of_others_are_used_only_in_their_homes() -> None:
    found = {str(path.relative_to(ROOT)): Reader(path).found for path in modules()}
    elsewhere = [line for path, lines in found.items() if path not in HOMES for line in lines]
    assert not elsewhere, (
        "Private parts of other packages are used outside their homes. Use what the package documents; else a function"
        f" of one of {sorted(HOMES)}, with a contract beside this test:\n" + "\n".join(elsewhere)
    )
    left = [path for path in HOMES if not found[path]]
    assert not left, f"They use nothing private any more: take them from HOMES: {left}"
