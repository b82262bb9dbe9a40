"""One table has every code: what people read of it and what programs are told, each said once."""

import pytest

from chatbot.core.errors import CODES, Kind, UserFacingError, add_kinds, sentence_of
from chatbot.web import door_errors, problems
from conversations.errors.providers import ProviderRateLimited
from conversations.errors.replies import ReplyTooLong

GENERAL = "Something went wrong. Nothing you wrote is lost. Please try again."


def test_a_sentence_is_made_of_the_code_and_its_parameters() -> None:
    assert sentence_of("reply_too_long", {"limit": 20_000}) == str(ReplyTooLong(limit=20_000))
    assert "at 20,000 characters" in sentence_of("reply_too_long", {"limit": 20_000})


@pytest.mark.parametrize(
    ("parameters", "wait"),
    [({"retry_after": 20.0}, "in about 20 seconds"), ({"retry_after": 7_200}, "in about 2 hours"), ({}, "in a moment")],
)
def test_a_wait_is_put_into_words_when_it_is_shown(parameters: dict[str, float], wait: str) -> None:
    assert ProviderRateLimited(retry_after=parameters.get("retry_after")).parameters == parameters
    assert sentence_of("provider_rate_limited", parameters).endswith(f"Please try again {wait}.")


def test_a_code_of_a_newer_version_has_the_general_sentence() -> None:
    assert sentence_of("of_next_year", {"moon": 7}) == GENERAL


@pytest.mark.parametrize("parameters", [{}, {"limit": "many"}, {"limit": None}, {"most": 20}])
def test_parameters_of_another_version_give_the_general_sentence(parameters: dict[str, object]) -> None:
    assert sentence_of("reply_too_long", parameters) == GENERAL


@pytest.mark.parametrize("retry_after", ["soon", [20], 10**400])
def test_a_wait_that_is_none_gives_the_general_sentence(retry_after: object) -> None:
    assert sentence_of("provider_rate_limited", {"retry_after": retry_after}) == GENERAL


def test_a_code_belongs_to_one_error_and_an_error_has_one() -> None:
    with pytest.raises(ValueError, match="has the code of EmptyReply"):
        type("SecondEmptyReply", (UserFacingError,), {"code": "empty_reply"})
    with pytest.raises(ValueError, match="has no code of its own"):
        type("Nameless", (ProviderRateLimited,), {})


def test_programs_are_told_of_a_code_in_one_place() -> None:
    with pytest.raises(ValueError, match="told of not_found already"):
        add_kinds({"not_found": Kind(404, "It is elsewhere.")})


def test_the_door_knows_no_code_that_the_table_lacks() -> None:
    known = {*door_errors.FORMS, *door_errors.FOR_GOOD, *door_errors.THEIR_STATUS}
    assert known <= problems.kinds().keys()


def test_an_error_that_programs_know_by_another_name_is_in_the_table_by_that() -> None:
    renamed = {row.error.program_code for row in CODES.values() if row.error and row.error.program_code}
    assert {"not_found", "idempotency_key_reused", "usage_limit_reached"} <= renamed <= problems.kinds().keys()


def test_what_programs_are_not_told_is_something_wrong_on_the_server() -> None:
    assert problems.Problem("of_next_year").code == "internal"
    assert problems.Problem("reply_too_long", "It did not end.").body["detail"] == "It did not end."
