"""What a tool has raised, in words for the model.

Words of exceptions may hold anything, such as the password of another system. Only those of exceptions that are meant
for people are passed on.
"""

import logging
from collections.abc import Iterator

import psycopg
from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist, PermissionDenied, ValidationError
from django.http import Http404
from pydantic import ValidationError as PydanticValidationError

from chatbot.core import faults
from chatbot.core.database import note_away
from chatbot.core.errors import UserFacingError
from chatbot.core.threads import DATABASE_AWAY
from tools import schema
from tools import text as texts
from tools.define import ToolError
from tools.ended import End, Ended
from tools.results import Unusable
from tools.tool import Tool

logger = logging.getLogger(__name__)

WORDS_MAX_CHARS = 1_000

FOR_PEOPLE = (
    ToolError,
    UserFacingError,
    ValidationError,
    PydanticValidationError,
    ObjectDoesNotExist,
    MultipleObjectsReturned,
    PermissionDenied,
    Http404,
)
"""Kinds of exceptions whose words are meant for people."""


AWAY_STATES = ("08", "57P")
"""How PostgreSQL's states begin that are about connections, and about a server that ends or starts."""


class NotAllowed(Exception):
    """The person may not use the tool, or not any more. The words of the exception are for the model."""


def failed(tool: Tool, error: BaseException, *, may_have_happened: bool) -> Ended:
    """The end of a call that raised an exception; logs it without its words."""
    if isinstance(error, NotAllowed):
        return Ended(End.FAILED, str(error), detail="The tool was not allowed.")
    detail = faults.described(error)
    if is_away(error):
        note_away()
    if is_for_people(error):
        logger.info("The tool %s failed: %s", tool.name, detail)
    else:
        logger.error("The tool %s failed.", tool.name, exc_info=error)
    after = " What it was to do may have happened." if may_have_happened else ""
    return Ended(End.FAILED, told(error) + after, detail=detail, may_have_happened=may_have_happened)


def is_for_people(error: BaseException) -> bool:
    """Whether the exception's words may be passed on. Of `ValueError` only the class itself: heirs are of packages."""
    return type(error) is ValueError or isinstance(error, FOR_PEOPLE)


def is_away(error: BaseException) -> bool:
    """Whether the database is out of reach; what a tool itself does wrong may look alike to Django."""
    states = [each.sqlstate for each in faults.chain(error) if isinstance(each, psycopg.Error)]
    return isinstance(error, DATABASE_AWAY) and all(state is None or state.startswith(AWAY_STATES) for state in states)


def told(error: BaseException) -> str:
    """What the model reads of an exception, bounded."""
    if isinstance(error, Unusable):
        return f"The tool failed: {error}"
    if is_away(error):
        return "The tool failed: the database did not answer."
    if any(isinstance(each, psycopg.errors.QueryCanceled) for each in faults.chain(error)):
        return "The tool failed: the database took too long."
    if not is_for_people(error):
        return "The tool failed because of an error in it. The site's administrators can see it."
    words = " ".join(filter(None, _words(error)))
    named = "" if isinstance(error, ToolError | UserFacingError) else f"{type(error).__name__}: "
    return texts.shortened(
        texts.storable(f"The tool failed: {named}{words or 'no reason was given.'}"), WORDS_MAX_CHARS
    )


def _words(error: BaseException) -> Iterator[str]:
    if isinstance(error, ValidationError):
        yield from error.messages
    elif isinstance(error, PydanticValidationError):
        yield schema.in_words(error)
    else:
        yield str(error)
