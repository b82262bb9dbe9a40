"""A tool: a function that the model may call, with what its decorator, hints and docstring say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.models import User
from tools.schema import Arguments
from tools.steps import Steps, titled


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a function is not offered, although it is marked as a tool."""

    words: str
    where: str
    """File and line of the function: `shop/chat_tools.py:12`."""


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """A function that the model may call."""

    name: str
    function: Any
    description: str
    where: str
    """File and line of the function."""
    confirm: bool
    read_only: bool
    idempotent: bool
    atomic: bool
    """Whether it runs in one transaction with the record of its end; False for asynchronous tools."""
    permission: str
    is_async: bool
    steps: Steps = field(repr=False)
    schema: Arguments = field(repr=False)

    @property
    def title(self) -> str:
        """The tool's name in words: `Add task`."""
        return titled(self.name)

    @property
    def summary(self) -> str:
        """The first paragraph of its description, in one line."""
        return " ".join(self.description.partition("\n\n")[0].split())

    @property
    def parameters(self) -> dict[str, Any]:
        """JSON schema of the arguments that the model gives."""
        return self.schema.parameters

    @property
    def may_run_again(self) -> bool:
        """Whether a call that was interrupted may run again: it left nothing, or a second time changes nothing."""
        return self.atomic or self.read_only or self.idempotent

    def arguments(self, text: str) -> dict[str, Any]:
        """Values for the function from the JSON text that a model wrote. Raises `ArgumentsRefused`, whose words tell
        the model what is wrong."""
        return self.schema.read(text)

    def step(self, arguments: Mapping[str, Any], *, done: bool = False) -> str:
        """What a call with these arguments does, or has done: a line of plain text for people. Never raises."""
        return self.steps.sentence(arguments, done=done)

    def may_be_used_by(self, user: User) -> bool:
        """Whether the person has the tool's permission. Causes two queries for a person whose permissions are not
        known yet."""
        return not self.permission or user.has_perm(self.permission)

    def for_model(self) -> dict[str, Any]:
        """The tool as the OpenAI-compatible APIs describe a function."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}
