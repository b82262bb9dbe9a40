"""Errors that are answers: their words are for people, or for programs. One table has all of them by code."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from chatbot.core.upstream import Upstream

UNREADABLE = (LookupError, TypeError, ValueError, ArithmeticError)
"""What parameters raise that are not as this version's sentence expects them."""


class Kind(NamedTuple):
    """What programs are told of one reason."""

    status: int
    sentence: str
    retry_after: int = 0
    """Seconds after which the same request may succeed; 0 when nobody knows."""


@dataclass(slots=True)
class Code:
    """One reason for which something could not be done."""

    error: "type[UserFacingError] | None" = None
    """Whose docstring is the sentence that people read; None where only programs meet it."""
    kind: Kind | None = None
    """What programs are told; None where they are told of something wrong on the server."""


CODES: dict[str, Code] = {}
"""The table of codes. Each error enters it as its class is defined, so whoever can raise it finds it here."""


class UserFacingError(Exception):
    """Something went wrong. Nothing you wrote is lost. Please try again."""

    # The docstring of each subclass is the sentence that the person reads: what happened, what is safe, what to do.
    # `{names}` in it are filled from the keyword parameters of the constructor, by way of `words`.

    code: ClassVar[str] = "error"
    """A stable name in snake_case, for storage and for programs."""

    http_status: ClassVar[int] = 500
    """The status of an answer that consists of this error."""

    for_programs: ClassVar[str] = ""
    """The sentence that programs read; empty where they are told of something wrong on the server."""

    retry_seconds: ClassVar[int] = 0
    """Seconds after which a program's same request may succeed; 0 when nobody knows."""

    program_code: ClassVar[str] = ""
    """The code under which programs know it, where that is another one."""

    is_told: ClassVar[bool] = False
    """Whether programs read the person's sentence as the detail; otherwise they read the one of its code."""

    upstream: Upstream | None = None
    """What another server said when it refused, where that is the reason."""

    is_lasting: bool = False
    """Whether it is known that the same request would fail again."""

    def __init_subclass__(cls) -> None:
        """Enter the class in the table of codes. Raises `ValueError` for a code that another one has."""
        super().__init_subclass__()
        if "code" not in vars(cls):
            raise ValueError(f"{cls.__name__} has no code of its own.")
        row = CODES.setdefault(cls.code, Code())
        if row.error:
            raise ValueError(f"{cls.__name__} has the code of {row.error.__name__}.")
        row.error = cls
        if "for_programs" in vars(cls):
            add_kinds({cls.code: Kind(cls.http_status, cls.for_programs, cls.retry_seconds)})

    def __init__(self, **parameters: Any) -> None:
        """`parameters`, as JSON can hold them, are all that the sentence depends on; they are stored with the code."""
        super().__init__()
        self.parameters = parameters

    def __str__(self) -> str:
        return self.sentence(self.parameters)

    @classmethod
    def sentence(cls, parameters: Mapping[str, Any]) -> str:
        """What a person reads of such an error with these parameters."""
        template = " ".join((inspect.getdoc(cls) or "").split())
        return template.format_map(cls.words(parameters))

    @classmethod
    def words(cls, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """What fills the names in the sentence: the parameters, in words where they are none."""
        return parameters

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
    """A key of the table of codes."""

    is_told: ClassVar[bool] = True
    """Whether the program reads the message; otherwise it reads the sentence of the code."""


def add_kinds(kinds: Mapping[str, Kind]) -> None:
    """Enter what programs are told of these codes. Raises `ValueError` for one of which they are told already."""
    for code, kind in kinds.items():
        row = CODES.setdefault(code, Code())
        if row.kind:
            raise ValueError(f"Programs are told of {code} already.")
        row.kind = kind


def sentence_of(code: str, parameters: Mapping[str, Any] | None = None) -> str:
    """What a person reads of a stored code and its parameters. Of what another version stored and this one does not
    know, that something went wrong."""
    row = CODES.get(code)
    error = row and row.error or UserFacingError
    try:
        return error.sentence(parameters or {})
    except UNREADABLE:
        return UserFacingError.sentence({})
