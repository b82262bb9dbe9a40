"""Bringing conversations back from a file."""

import json
import re
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from conversations.errors.table import sentence_of
from conversations.models import Conversation, Feedback, Generation, Message, Status
from conversations.transfer import staging
from tests.factories import ConversationFactory, ReplyFactory, exchange
from tests.kit.server import ChatServer
from tests.support.importing import conversation, document, message, outcomes, told
from tests.support.visitor import Visitor


def export(visitor: Visitor) -> bytes:
    return visitor.get("/export/?format=json").body


def without_keys(file: bytes) -> Any:
    """The conversations of an export, each key as its place in the file."""
    text = file.decode()
    for place, key in enumerate(dict.fromkeys(re.findall(r"[0-9a-f-]{36}", text))):
        text = text.replace(key, f"key {place}")
    return json.loads(text)["conversations"]


def a_full_account(user: User) -> None:
    answer = exchange(ConversationFactory.create(user=user, title="Capitals 日本"), "Capital?\n😀", "It is **Paris**.")
    exchange(answer.conversation, "And of Spain?", "Madrid.")
    ReplyFactory.create(
        conversation=answer.conversation,
        parent=answer.parent,
        content="",
        tool_calls=[{"name": "look_up", "arguments": {"of": "Spain", "depth": 1.5}}],
        generation__status=Status.FAILED,
        generation__error="The model is away.",
        generation__error_code="away",
        generation__reasoning="Hm.",
        generation__reasoning_seconds=1.25,
        generation__model="large",
        generation__prompt_tokens=7,
        generation__completion_tokens=0,
        generation__cached_tokens=3,
        generation__reasoning_tokens=2,
        generation__finish_reason="length",
        generation__started_at=answer.created_at,
        generation__finished_at=answer.created_at,
        generation__window_start=answer.created_at,
        generation__window_cut=True,
    )
    settled = ConversationFactory.create(
        user=user, model="small", system_prompt="Be brief.", temperature=0.5, tools_off=["a"]
    )
    answer = exchange(settled, "Hello", "Good day")
    Feedback.objects.create(message=answer, user=user, rating="down", comment="Too brief")
    other = ReplyFactory.create(conversation=settled, parent=answer.parent, chosen_at=answer.created_at)
    exchange(settled, "And then?", "Nothing")
    Conversation.objects.filter(pk=settled.pk).update(
        current_message=other, pinned_at=settled.created_at, archived_at=settled.created_at
    )


def test_what_was_exported_comes_back_whole_in_another_account(
    server: ChatServer, owner: Visitor, user: User, stranger: User
) -> None:
    a_full_account(user)
    file = export(owner)
    other = Visitor(server, stranger)
    assert outcomes(other.upload("/import/", file)) == ["imported", "imported"]
    assert without_keys(export(other)) == without_keys(file)
    # Nothing of the first account has changed, and the two share no key.
    assert without_keys(export(owner)) == without_keys(file)
    assert not set(re.findall(rb'"id": "([^"]+)"', file)) & set(re.findall(rb'"id": "([^"]+)"', export(other)))


@pytest.mark.parametrize("word", ["x" * 51, 7, ["length"]])
def test_a_finish_reason_that_is_none_is_refused(owner: Visitor, user: User, word: object) -> None:
    asked = message("Hello")
    said = message("Hi", parent=asked["id"], role="assistant", generation={"finish_reason": word})
    answer = owner.upload("/import/", document(conversation("Hello", [asked, said])))
    assert "its “finish_reason”" in told(answer)[0][1]
    assert not Generation.objects.exists()


OF_THIS_SITE = sentence_of("too_many_replies", {"limit": 3})


@pytest.mark.parametrize(
    ("made", "kept"),
    [
        # As it is exported here: the sentence is made anew when it is shown.
        ({"error_code": "too_many_replies", "error_params": {"limit": 3}, "error": OF_THIS_SITE}, ""),
        ({"error_code": "too_many_replies", "error_params": {"limit": 4}, "error": OF_THIS_SITE}, OF_THIS_SITE),
        ({"error_code": "too_many_replies", "error_params": {"limit": 3}, "error": "Trop."}, "Trop."),
        (
            {"error_code": "of_next_year", "error_params": {"moon": 7}, "error": "It is away."},
            "It is away.",
        ),
        # Older files carry nothing but the sentence beside the code.
        ({"error_code": "provider_timeout", "error": "It took too long."}, "It took too long."),
        ({"error_code": "provider_timeout", "error": sentence_of("provider_timeout")}, sentence_of("provider_timeout")),
        ({"error": "It failed."}, "It failed."),
    ],
)
def test_an_import_shows_the_sentence_that_its_file_carries(owner: Visitor, made: dict[str, Any], kept: str) -> None:
    asked = message("Hello")
    said = message("", parent=asked["id"], role="assistant", generation={"status": "failed"} | made)
    found = conversation("Hello", [asked, said])
    assert outcomes(owner.upload("/import/", document(found))) == ["imported"]
    generation = Generation.objects.get()
    assert (generation.error, generation.sentence) == (kept, made["error"])
    assert made["error"] in owner.get(f"/c/{found['id']}/").text
    (exported,) = json.loads(export(owner))["conversations"]
    (again,) = [said["generation"] for said in exported["messages"] if said["role"] == "assistant"]
    assert again.items() >= made.items()


def test_what_was_deleted_comes_back_under_its_own_keys(owner: Visitor, user: User) -> None:
    a_full_account(user)
    file = export(owner)
    Conversation.objects.all().delete()
    assert outcomes(owner.upload("/import/", file)) == ["imported", "imported"]
    assert json.loads(export(owner))["conversations"] == json.loads(file)["conversations"]


def test_a_second_import_changes_nothing(server: ChatServer, owner: Visitor, user: User, stranger: User) -> None:
    a_full_account(user)
    file = export(owner)
    for visitor in (owner, Visitor(server, stranger)):
        visitor.upload("/import/", file)
        before = export(visitor)
        assert outcomes(visitor.upload("/import/", file)) == ["here", "here"]
        assert json.loads(export(visitor))["conversations"] == json.loads(before)["conversations"]
    assert "Done: 0 imported, 2 already here, 0 not imported." in told(owner.upload("/import/", file))[-1][1]


def test_an_imported_conversation_can_be_read_and_continued(owner: Visitor) -> None:
    found = conversation()
    owner.upload("/import/", document(found))
    page = owner.get(f"/c/{found['id']}/").text
    assert "Capital of France?" in page
    assert "Paris." in page


@pytest.mark.parametrize("indent", [None, 2], ids=["on one line", "indented"])
def test_any_layout_of_the_json_is_read(owner: Visitor, indent: int | None) -> None:
    whole = json.loads(document(conversation("One 😀"), conversation("Two \\ud800")))
    assert outcomes(owner.upload("/import/", json.dumps(whole, indent=indent).encode())) == ["imported"] * 2
    assert set(Conversation.objects.values_list("title", flat=True)) == {"One 😀", "Two \\ud800"}


def test_the_messages_may_come_before_the_rest_and_in_any_order(owner: Visitor) -> None:
    found = conversation()
    backwards = dict(reversed(found.items())) | {"messages": found["messages"][::-1]}
    assert outcomes(owner.upload("/import/", document(backwards))) == ["imported"]
    assert Message.objects.get(role="assistant").parent == Message.objects.get(role="user")


def test_a_tree_of_ten_thousand_messages_one_below_the_other_is_imported(owner: Visitor) -> None:
    messages = [message("Step 0")]
    for number in range(1, 10_000):
        messages.append(message(f"Step {number}", parent=messages[-1]["id"]))
    assert outcomes(owner.upload("/import/", document(conversation("Deep", messages)))) == ["imported"]
    assert Message.objects.count() == 10_000
    assert outcomes(owner.upload("/import/", document(conversation("Deep again", messages[::-1])))) == ["imported"]
    assert Message.objects.count() == 20_000
    messages[0]["parent"] = messages[-1]["id"]
    assert outcomes(owner.upload("/import/", document(conversation("A ring", messages[::-1])))) == ["failed"]


@pytest.mark.django_db
def test_checking_a_conversation_changes_no_setting_of_the_statements_after_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings")
        before = cursor.fetchall()
        staging.gather([message() | {"parent_id": None, "tool_calls": None}], begin=1)
        staging.check()
        cursor.execute("SELECT name, setting FROM pg_settings")
        assert cursor.fetchall() == before


def test_a_reply_that_was_being_made_is_not_made_again(owner: Visitor, module_provider: Any) -> None:
    for status in ("pending", "running", "interrupted"):
        asked = message("Go")
        found = message("So far", parent=asked["id"], role="assistant", generation={"status": status})
        again = conversation(status, [asked, found])
        assert outcomes(owner.upload("/import/", document(again))) == ["imported"]
        assert "Retry" in owner.get(f"/c/{again['id']}/").text
    assert set(Generation.objects.values_list("status", flat=True)) == {"failed"}
    assert set(Message.objects.filter(role="assistant").values_list("content", flat=True)) == {"So far"}
    assert module_provider.chats == []


def test_fields_of_a_later_version_are_ignored(owner: Visitor) -> None:
    found = conversation() | {"colour": {"deep": [1, [2]]}, "messages": [message(mood="good")]}
    assert outcomes(owner.upload("/import/", document(found, more=[1, {"a": 2}]))) == ["imported"]
