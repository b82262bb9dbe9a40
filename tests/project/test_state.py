"""What changes while a process runs is part of its `Process`: no module keeps any of it in a variable of its own."""

import ast
from collections.abc import Iterator
from itertools import chain

import pytest

from tests.kit.server import ROOT

SITE = ("accounts", "chatbot", "conversations", "tasks", "tools")

MUTABLE = {
    "dict",
    "list",
    "set",
    "Counter",
    "deque",
    "defaultdict",
    "OrderedDict",
    "WeakKeyDictionary",
    "WeakValueDictionary",
    "WeakSet",
    "Lock",
    "RLock",
    "Condition",
    "Event",
    "Semaphore",
    "local",
    "Queue",
    "SimpleQueue",
    "ThreadPoolExecutor",
}
"""What is made empty only to be filled, held or used up."""

CONSTANT = {
    "Part": "says what the process has, and has nothing itself",
    "ContextVar": "its values are those of contexts",
    "getLogger": "Python's, one for each name",
    "Library": "what it registers is written in the code",
    "Router": "what it registers is written in the code",
    "NinjaAPI": "what it registers is written in the code",
    "CollectorRegistry": "figures are counted from a process's start on, whoever asks for them",
    "Counter": "a figure of that registry",
    "Histogram": "a figure of that registry",
    "Formatter": "keeps nothing",
    "Environment": "is read once, by the settings",
    "ChatHandler": "what the server runs: the process has one, and each of its requests is its own",
}
"""What a name in small letters may be made of, and why."""

VALUES = {
    *("...", "Any", "bool", "bytes", "float", "int", "None", "SafeString", "str", "type"),
    *("dict", "frozenset", "list", "tuple"),
}
"""What a function may remember: values, which would come out the same again."""

REMEMBERED = {
    "SharedService": "where a service of this computer is, told by its directory alone",
    "ssl.SSLContext": "the certificates of this computer, only read",
    "Lexer": "knows a language, and of a text nothing",
    "Counter": "the figure with these labels, which the registry keeps anyway",
    "Histogram": "the figure with these labels, which the registry keeps anyway",
    "Tool": "made of a function, and changes no more than that does",
    "Fault": "made of a function, and changes no more than that does",
}
"""What else it may remember, and why."""


REGISTRIES = {"CODES": "each error enters it as its class is defined; nothing changes it after that"}
"""What is made empty and filled while the code is loaded, and why."""


def kept(code: str) -> Iterator[str]:
    """What a module with this code keeps in variables of its own."""
    module = ast.parse(code)
    for node in ast.walk(module):
        if isinstance(node, ast.Global):
            yield f"global {', '.join(node.names)}"
        elif isinstance(node, ast.FunctionDef) and is_remembered(node):
            for name in set(returned(node)) - VALUES - REMEMBERED.keys():
                yield f"{node.name} remembers a {name}"
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and is_kept(node, node.value):
            yield ast.unparse(node)


def is_kept(node: ast.Assign | ast.AnnAssign, value: ast.expr) -> bool:
    """Whether the name stands for something that changes."""
    if isinstance(value, ast.Call):
        is_filled = bool(value.args or value.keywords)
        return (called(value) in MUTABLE and not is_filled) or (is_small(node) and called(value) not in CONSTANT)
    if isinstance(value, ast.Dict | ast.List | ast.Set):
        return not ast.unparse(value).strip("{[]}") and REGISTRIES.keys().isdisjoint(names(node))
    return isinstance(value, ast.Constant) and is_small(node) and not isinstance(value.value, str)


def is_small(node: ast.Assign | ast.AnnAssign) -> bool:
    """Whether a variable has a name in small letters, as those have that change."""
    return any(name == name.lower() for name in names(node))


def names(node: ast.Assign | ast.AnnAssign) -> list[str]:
    """The variables that are assigned."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def called(node: ast.expr) -> str:
    """The last name of what is called, or of a decorator: `Lock` for `threading.Lock()`."""
    while not isinstance(node, ast.Name | ast.Attribute):
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Subscript):
            node = node.value
        else:
            return ""
    return node.id if isinstance(node, ast.Name) else node.attr


def is_remembered(function: ast.FunctionDef) -> bool:
    """Whether what it returns is kept for the next call."""
    return bool({"cache", "lru_cache"} & {called(decorator) for decorator in function.decorator_list})


def returned(function: ast.FunctionDef) -> Iterator[str]:
    """The names of the types that a function returns."""
    nodes = [function.returns] if function.returns else []
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Name | ast.Attribute | ast.Constant):
            yield ast.unparse(node)
        else:
            nodes += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]


def test_no_module_of_the_site_keeps_what_changes() -> None:
    files = chain.from_iterable((ROOT / folder).rglob("*.py") for folder in SITE)
    found = {str(file.relative_to(ROOT)): list(kept(file.read_text())) for file in files}
    assert len(found) > 100
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "code",
    [
        "_open: dict[str, int] = {}",
        "OPEN = set()",
        "OPEN = list[str]()",
        "_running = 0",
        "_serving: asyncio.AbstractEventLoop | None = None",
        "_lock = threading.Lock()",
        "_pool = ThreadPoolExecutor(2)",
        "outbox = Outbox()",
        "def note():\n    global _last\n    _last = 1",
        "@cache\ndef pool() -> ThreadPoolExecutor:\n    return ThreadPoolExecutor(2)",
    ],
)
def test_what_changes_is_found(code: str) -> None:
    assert list(kept(code))


@pytest.mark.parametrize(
    "code",
    [
        "_open = Part(Counter[UUID])",
        "NAMES = {'a': 1}",
        "CODES: dict[str, Code] = {}",
        "logger = logging.getLogger(__name__)",
        "LIMIT = 0",
        "def count():\n    found = {}\n    return found",
        "@cache\ndef names() -> tuple[str, ...]:\n    return ('a',)",
    ],
)
def test_what_stays_is_none_of_it(code: str) -> None:
    assert not list(kept(code))
