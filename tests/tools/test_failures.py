"""What a tool raises, or returns wrongly, in words for the model; the process goes on."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from pydantic import BaseModel

from accounts.models import User
from tests.tools.calling import (
    add,
    called,
    free,
    names,
    tool_of,
)
from tools.define import ToolError
from tools.running import End
from tools.threads import threads

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_left")]


class Number(BaseModel):
    """A model that refuses what is no number."""

    number: int


def raises(error: BaseException) -> Callable[[], str]:
    def fail() -> str:
        """Fail in some way."""
        Group.objects.create(name="trace")
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ToolError("No such task."), "The tool failed: No such task."),
        (ValueError("bad\0 day\ud800"), "The tool failed: ValueError: bad day\ufffd"),
        (ValueError("x" * 5_000), "The tool failed: ValueError: " + "x" * 970 + "…"),
        (ValueError(), "The tool failed: ValueError: no reason was given."),
        (ValidationError(["Too long.", "Too late."]), "The tool failed: ValidationError: Too long. Too late."),
        (Group.DoesNotExist("No group fits."), "The tool failed: DoesNotExist: No group fits."),
        (PermissionDenied("Not yours."), "The tool failed: PermissionDenied: Not yours."),
        (Http404("Nothing there."), "The tool failed: Http404: Nothing there."),
    ],
)
async def test_words_that_are_for_people_reach_the_model(user: User, error: Exception, words: str) -> None:
    ended = await called(tool_of(raises(error)), user)
    assert (ended.end, ended.words) == (End.FAILED, words)
    assert names() == set()


async def test_a_model_that_does_not_fit_is_told_without_its_values(user: User) -> None:
    def parse() -> str:
        """Parse a number."""
        return str(Number.model_validate({"number": "the secret"}).number)

    ended = await called(tool_of(parse), user)
    assert ended.words.startswith("The tool failed: ValidationError: number: Input should be a valid integer")
    assert "secret" not in ended.words


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("secret"),
        KeyError("secret"),
        UnicodeError("secret"),
        SystemExit("secret"),
        KeyboardInterrupt("secret"),
        asyncio.CancelledError("secret"),
        GeneratorExit("secret"),
    ],
)
async def test_other_exceptions_are_logged_and_their_words_reach_nobody(
    user: User, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    ended = await called(tool_of(raises(error)), user)
    assert (ended.end, ended.words) == (
        End.FAILED,
        "The tool failed because of an error in it. The site's administrators can see it.",
    )
    assert ended.detail.endswith(type(error).__name__)
    (record,) = [each for each in caplog.records if each.name == "tools.failures"]
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "The tool fail failed.")
    assert "secret" not in ended.detail
    assert names() == set()


async def test_the_process_serves_the_next_call_after_each_failure(user: User) -> None:
    errors = [SystemExit(), RuntimeError(), MemoryError()]

    def fail() -> str:
        """Fail in another way each time."""
        raise errors.pop()

    failing = tool_of(fail)
    assert {(await called(failing, user)).end for _ in range(3)} == {End.FAILED}
    assert (await called(tool_of(add), user, title="milk")).end is End.DONE
    await free()
    assert threads().counts() == {"busy": 0, "hung": 0, "waiting": 0}


@pytest.mark.parametrize("said", [{}, {"atomic": False}, {"read_only": True}])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda: (number for number in range(3)), "returned a generator"),
        (object, "returned a object, which cannot be written as JSON"),
        (Group.objects.all, "returned a QuerySet"),
    ],
)
async def test_a_useless_return_value_is_a_failure(user: User, value: Any, words: str, said: dict[str, bool]) -> None:
    def give() -> Any:
        """Give something strange."""
        return value()

    ended = await called(tool_of(give, **said), user)
    assert ended.end is End.FAILED
    assert words in ended.words
