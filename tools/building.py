"""Makes tools of marked functions, or says why they cannot be tools."""

import inspect
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from django.apps import apps

from tools import schema
from tools.define import FLAGS, MARK, TEXTS, Declaration, where
from tools.docstrings import Described, described
from tools.steps import Steps
from tools.tool import Fault, Tool

NAME = re.compile(r"[A-Za-z0-9_-]+")
NAME_MAX_CHARS = 64
PERMISSION = re.compile(r"(\w+)\.(\w+)")


def built(function: Any) -> tuple[Tool | None, tuple[Fault, ...]]:
    """The tool that a marked function is, or why it is none."""
    declared = getattr(function, MARK)
    # What a decorator says wrongly may be anything, also what no cache can hold.
    if found := list(_faults_of_declaration(declared)):
        return None, _faults(function, found)
    return _built(function, declared)


# Reading hints and making a schema takes a millisecond.
@cache
def _built(function: Any, declared: Declaration) -> tuple[Tool | None, tuple[Fault, ...]]:
    said = described(function)
    if found := list(_faults_of_function(function, said)):
        return None, _faults(function, found)
    try:
        arguments = schema.arguments_of(function, said)
    except schema.Unfit as error:
        return None, _faults(function, map(str, error.args))
    name = function.__name__
    steps = Steps.of(name, declared.step, declared.done)
    if found := steps.faults(arguments.parameters["properties"]):
        return None, _faults(function, found)
    is_async = inspect.iscoroutinefunction(function)
    tool = Tool(
        name=name,
        function=function,
        description=said.description,
        where=where(function),
        confirm=declared.confirm,
        read_only=declared.read_only,
        idempotent=declared.idempotent,
        atomic=declared.atomic and not is_async,
        permission=declared.permission,
        is_async=is_async,
        steps=steps,
        schema=arguments,
    )
    return tool, ()


def _faults(function: Any, sentences: Iterable[str]) -> tuple[Fault, ...]:
    name = getattr(function, "__name__", type(function).__name__)
    return tuple(Fault(f"`{name}` cannot be a tool: {words}.", where(function)) for words in sentences)


def _faults_of_function(function: Any, said: Described) -> Iterator[str]:
    """What is wrong with a function, apart from its arguments."""
    if not inspect.isfunction(function):
        yield "it is not a function"
        return
    if not NAME.fullmatch(function.__name__) or len(function.__name__) > NAME_MAX_CHARS:
        yield f"providers accept names of at most {NAME_MAX_CHARS} letters, digits, underscores and hyphens"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        yield "it is a generator: return a list, a text or a Table"
    if not said.description:
        yield "it has no docstring, from which the model would know what it does"


def _faults_of_declaration(declared: Any) -> Iterator[str]:
    """What is wrong with what the decorator says."""
    for names, kind, words in ((FLAGS, bool, "True or False"), (TEXTS, str, "a text")):
        for name in names:
            if not isinstance(getattr(declared, name), kind):
                yield f"its `{name}` must be {words}"
    for name in declared.unknown:
        yield f"its decorator does not know `{name}`"
    if declared.redefined:
        yield f"the module has another tool with this name, {declared.redefined}"
    if declared.confirm and declared.read_only:
        yield "it asks for confirmation (confirm) of something that changes nothing (read_only): keep one of them"
    if declared.permission and isinstance(declared.permission, str):
        yield from _faults_of_permission(declared.permission)


def _faults_of_permission(permission: str) -> Iterator[str]:
    found = PERMISSION.fullmatch(permission)
    if not found:
        yield f"its permission {permission!r} is not of the form app.codename, such as shop.change_order"
    elif found[1] not in apps.app_configs:
        yield f"its permission {permission!r} is of an app that is not installed"
