"""The tools of the installed apps: which there are, and who is offered which.

Each app's `chat_tools.py` is imported at the start, like its `admin.py`, and its functions that are marked as tools are
registered. A function that cannot be a tool is a `Fault`, which the system check reports; it is never offered.
"""

import logging
import sys
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal

from django.apps import apps
from django.conf import settings
from django.utils.module_loading import autodiscover_modules

from accounts.models import User
from chatbot.core.process import Part
from chatbot.telemetry import metrics
from tools.building import built
from tools.define import MARK, Declaration
from tools.models import Policy, ToolPolicy
from tools.schema import ArgumentsRefused
from tools.tool import Fault, Tool

__all__ = ["ArgumentsRefused", "Fault", "Tool", "all_tools", "get", "offered_to", "policies", "policy_of"]

logger = logging.getLogger(__name__)

MODULE = "chat_tools"


@dataclass(slots=True)
class Registry:
    """The tools that a process has."""

    tools: dict[str, Tool] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    _same: defaultdict[str, list[Tool]] = field(default_factory=lambda: defaultdict(list))
    """All tools of one name, also where none of them is offered because of that."""

    def add(self, *functions: Any) -> None:
        """Register functions that are marked as tools. Of several with one name none is a tool."""
        for function in functions:
            tool, faults = built(function)
            self.faults += faults
            if tool and tool not in self._same[tool.name]:
                self._same[tool.name].append(tool)
        for name, same in self._same.items():
            if len(same) == 1:
                self.tools[name] = same[0]
            else:
                self.tools.pop(name, None)

    def clear(self) -> None:
        """Forget all tools, and why some functions are none."""
        self.tools.clear()
        self.faults.clear()
        self._same.clear()

    def all_faults(self) -> list[Fault]:
        """Why functions are no tools: their own faults, and names that several have."""
        found = list(self.faults)
        for name, same in self._same.items():
            if len(same) > 1:
                words = f"the tool `{name}` is there more than once: {', '.join(tool.where for tool in same)}."
                found += [Fault(words, tool.where) for tool in same]
        return found


def discovered() -> Registry:
    """The tools of the installed apps."""
    autodiscover_modules(MODULE)
    registry = Registry()
    registry.add(*marked())
    return registry


def marked() -> list[Any]:
    """The functions that the apps' modules mark as tools, each once, however many modules import it."""
    modules = [sys.modules.get(f"{app.name}.{MODULE}") for app in apps.get_app_configs()]
    values = [value for module in modules if module for value in vars(module).values()]
    return list({id(value): value for value in values if isinstance(getattr(value, MARK, None), Declaration)}.values())


_registry = Part(discovered)


def warm_up() -> None:
    """Find the tools before the first request needs them, and log what the system check would report."""
    for fault in faults():
        logger.error("%s: %s", fault.where, fault.words)
    for tool in all_tools():
        # A counter that begins at zero shows its first call as an increase.
        metrics.tool_calls.labels(tool.name, "done")


def register(*functions: Any) -> None:
    """Add tools of this process only, as tests do."""
    _registry().add(*functions)


def replace(*functions: Any) -> None:
    """Make these the only tools of this process, as tests do."""
    registry = _registry()
    registry.clear()
    registry.add(*functions)


def faults() -> list[Fault]:
    """What keeps functions from being tools."""
    return _registry().all_faults()


def all_tools() -> list[Tool]:
    """Every tool of the installed apps, by name."""
    return sorted(_registry().tools.values(), key=lambda tool: tool.name)


def get(name: str) -> Tool | None:
    """The tool with this name, offered or not; None without one."""
    return _registry().tools.get(name)


def offered_to(user: User, without: Collection[str] = ()) -> list[Tool]:
    """The tools that the model may call for this person, by name, `without` those that are turned off.

    None with `CHAT_TOOLS` off. Causes a query of the policies, and those of the person's permissions if a tool needs
    one.
    """
    candidates = [tool for tool in all_tools() if tool.name not in without] if settings.CHAT_TOOLS else []
    if not candidates:
        return []
    decided = policies(candidates)
    return [tool for tool in candidates if decided[tool.name] != "never" and tool.may_be_used_by(user)]


def policies(tools: Collection[Tool]) -> dict[str, Literal["never", "ask", "allow"]]:
    """What happens when the model calls each of these tools, by name. Causes a query."""
    decided = ToolPolicy.decided()
    return {tool.name: _word(decided.get(tool.name), tool) for tool in tools}


def policy_of(tool: Tool) -> Literal["never", "ask", "allow"]:
    """What happens when the model calls this tool: what an administrator decided, else what the tool's decorator says.
    Causes a query."""
    return _word(ToolPolicy.decided_for(tool.name), tool)


def _word(decided: Policy | None, tool: Tool) -> Literal["never", "ask", "allow"]:
    match decided:
        case Policy.NEVER:
            return "never"
        case Policy.ASK:
            return "ask"
        case Policy.ALLOW:
            return "allow"
    return "ask" if tool.confirm else "allow"
