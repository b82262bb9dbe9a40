"""Why a reply failed is stored as a code, and made a sentence where it is shown; rows that hold a sentence keep it."""

import importlib
import json
import pkgutil
import subprocess
import sys
from typing import Any

import pytest

import conversations
from chatbot.core.errors import CODES, UserFacingError
from conversations.actions import turns
from conversations.errors import providers, replies
from conversations.models import Generation, Status
from tests.factories import ReplyFactory
from tests.kit.server import ROOT

pytestmark = pytest.mark.django_db

MAKING = ("conversations.llm", "conversations.replies")
"""Where replies are made: whatever is raised there may become the end of one."""


def everything_below(kind: type[UserFacingError]) -> set[type[UserFacingError]]:
    """Every subclass, near and far."""
    children = set(kind.__subclasses__())
    return children.union(*map(everything_below, children))


def failed(**fields: Any) -> Generation:
    """A failed reply as the database gives it back."""
    made = {f"generation__{name}": value for name, value in fields.items()}
    reply = ReplyFactory.create(content="", generation__status=Status.FAILED, **made)
    return Generation.objects.get(pk=reply.pk)


@pytest.mark.parametrize(
    "error",
    [
        providers.ProviderUnavailable(retry_after=90.5),
        providers.ProviderKey("HTTP 401"),
        replies.ReplyTooLong(limit=1_234_567),
        replies.TooManyReplies(limit=3),
        replies.ServerBusy(),
    ],
    ids=lambda error: error.code,
)
def test_a_stored_code_says_what_the_error_said(error: UserFacingError) -> None:
    generation = failed(error_code=error.code, error_params=error.parameters or None)
    assert generation.error == ""
    assert generation.sentence == str(error)


@pytest.mark.parametrize("code", ["", "provider_timeout", "of_next_year"])
def test_a_row_that_holds_a_sentence_shows_it_as_it_is(code: str) -> None:
    assert failed(error_code=code, error="It took too long, then.").sentence == "It took too long, then."


def test_a_code_that_a_newer_version_stored_shows_that_something_went_wrong() -> None:
    generation = failed(error_code="of_next_year", error_params={"moon": 7})
    assert generation.sentence == "Something went wrong. Nothing you wrote is lost. Please try again."


def test_a_reply_that_did_not_fail_has_no_sentence() -> None:
    assert ReplyFactory.create().generation.sentence == ""


def test_a_retry_leaves_nothing_of_the_failure() -> None:
    generation = failed(error_code="too_many_replies", error_params={"limit": 3}, error="You have 3.")
    turns.retry(generation.message)
    generation.refresh_from_db()
    assert (generation.error_code, generation.error_params, generation.sentence) == ("", None, "")


def test_whatever_may_end_a_reply_is_declared_where_all_its_readers_find_it() -> None:
    for module in pkgutil.walk_packages(conversations.__path__, "conversations."):
        if module.name.startswith(MAKING):
            importlib.import_module(module.name)
    assert [error for error in everything_below(UserFacingError) if error.__module__.startswith(MAKING)] == []


def test_whoever_reads_replies_and_makes_none_has_the_sentences_of_all_their_ends() -> None:
    errors = [row.error for row in CODES.values() if row.error]
    stored = {error.code for error in errors if error.__module__ in (providers.__name__, replies.__name__)}
    assert {"internal", "provider_key", "too_many_replies", "unfinished_import"} < stored
    # The models import this module, and need no other.
    program = "import conversations.errors.table, chatbot.core.errors; print(*chatbot.core.errors.CODES)"
    known = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)
    assert stored <= set(known.split())


def test_what_a_sentence_depends_on_can_be_stored() -> None:
    for error in (providers.ProviderRateLimited(retry_after=1.5), replies.ReplyTooLong(limit=5)):
        assert json.loads(json.dumps(error.parameters)) == error.parameters
