"""Errors that are answers: their words are for people, or for programs."""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

from chatbot.core.upstream import Upstream


class UserFacingError(Exception):
    """Something went wrong. Nothing you wrote is lost. Please try again."""

    # The docstring of each subclass is the sentence that the person reads: what happened, what is safe, what to do.
    # `{names}` in it are filled from the keyword parameters of the constructor.

    code: ClassVar[str] = "error"
    """A stable name in snake_case, for storage and for programs."""

    http_status: ClassVar[int] = 500
    """The status of an answer that consists of this error."""

    is_told: ClassVar[bool] = False
    """Whether programs read this sentence too; otherwise they read the one of its code."""

    upstream: Upstream | None = None
    """What another server said when it refused, where that is the reason."""

    is_lasting: bool = False
    """Whether it is known that the same request would fail again."""

    def __init__(self, **parameters: object) -> None:
        sentence = " ".join((inspect.getdoc(type(self)) or "").split())
        super().__init__(sentence.format_map(parameters) if parameters else sentence)

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of an answer to a program."""
        return {}

    @property
    def members(self) -> Mapping[str, Any]:
        """What is added to the body of an answer to a program."""
        return {}


class Refusal(Exception):
    """A program's request cannot be done. The message of the exception says why."""

    code: ClassVar[str]
    """A key of the table of problems."""

    is_told: ClassVar[bool] = True
    """Whether the program reads the message; otherwise it reads the sentence of the code."""
