"""Files that are broken, cut off or of another kind: what is said of them, and what is imported all the same."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from conversations.models import Conversation, Message
from tests.support.importing import conversation, document, outcomes, told
from tests.support.visitor import Visitor

Damage = Callable[[dict[str, Any]], object]


def put(**fields: Any) -> Damage:
    return lambda found: found.update(fields)


def put_in(place: int, **fields: Any) -> Damage:
    return lambda found: found["messages"][place].update(fields)


def circle(found: dict[str, Any]) -> None:
    found["messages"][0]["parent"] = found["messages"][1]["id"]


def twice(found: dict[str, Any]) -> None:
    found["messages"][1]["id"] = found["messages"][0]["id"]


def thumb(found: dict[str, Any]) -> None:
    found["messages"][1]["feedback"] = {"rating": "sideways"}


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a circle of parents": (circle, "Message 1 answers itself"),
    "a message that answers itself": (
        lambda found: found["messages"][0].update(parent=found["messages"][0]["id"]),
        "Message 1 answers itself",
    ),
    "an error that this site does not know how to name": (
        put_in(1, generation={"status": "failed", "error_code": "Call me!"}),
        "Message 2: its “error_code” is not a code",
    ),
    "an error that depends on no object": (
        put_in(1, generation={"error_params": [20]}),
        "no object of texts",
    ),
    "an error that depends on a null": (put_in(1, generation={"error_params": {"a": "\0"}}), "no object of texts"),
    "an error that depends on very much": (
        put_in(1, generation={"error_params": {"a": "x" * 1_001}}),
        "its “error_params” are longer than 1,000",
    ),
    "the same key twice": (twice, "Message 2 has the same “id”"),
    "a parent that is nowhere": (put_in(1, parent=str(uuid4())), "Message 2 answers a message that is not in"),
    "a parent that is no key": (put_in(1, parent=7), "Message 2: its “parent” is not a UUID"),
    "no messages": (put(messages=[]), "It has no messages"),
    "messages that are no list": (put(messages={"a": [1]}), "Its “messages” are not a list"),
    "messages that are a number": (put(messages=5), "Its “messages” are not a list"),
    "a message that is no object": (put(messages=[[1, [2]]]), "Message 1 is not an object"),
    "a key that is no key": (put(id="one"), "Its “id” is not a UUID"),
    "no key": (lambda found: found.pop("id"), "Its “id” is not a UUID"),
    "a title that is no text": (put(title=["a"]), "Its title is not a text"),
    "an empty title": (put(title=" \n"), "Its title is empty"),
    "a long title": (put(title="x" * 256), "longer than 255"),
    "a null in a text": (put_in(0, content="a\0b"), "contains invalid characters"),
    "half a character": (put_in(0, content="a\ud800b"), "contains invalid characters"),
    "a null in a tool call": (put_in(1, tool_calls=[{"a": ["\0"]}]), "neither text nor a number"),
    "tool calls that are none": (put_in(1, tool_calls="look"), "not a list of objects"),
    "an unknown role": (put_in(0, role="king"), "its role is not one of"),
    "a role that is no text": (put_in(0, role=["user"]), "its role is not one of"),
    "an empty question": (put_in(0, content=" "), "its text is empty"),
    "a text that is a number": (put_in(1, content=3.5), "its text is not a text"),
    "a huge text": (put_in(1, content="x" * 1_000_001), "longer than 1,000,000"),
    "a time of no calendar": (put_in(0, created_at="2026-02-30T00:00:00Z"), "not a time"),
    "a time long ago": (put_in(0, created_at="0001-01-01T00:00:00+14:00"), "before the year 2000"),
    "a time to come": (put(updated_at="9999-12-31T23:59:59-12:00"), "in the future"),
    "a time without a zone": (put(created_at="2026-05-01T10:00:00"), "lacks a time zone"),
    "a time that is a number": (put(created_at=1e9), "not a time"),
    "an unknown status": (put_in(1, generation={"status": "odd"}), "its status is not one of"),
    "a generation that is none": (put_in(1, generation=[1]), "not an object"),
    "tokens that are no count": (put_in(1, generation={"prompt_tokens": -1}), "not a count"),
    "tokens past all counts": (put_in(1, generation={"prompt_tokens": 2**31}), "not a count"),
    "a duration that is none": (put_in(1, generation={"thought_seconds": "1"}), "not a number from"),
    "feedback of a third kind": (thumb, "its feedback has no rating of up or down"),
    "a choice that is no key": (put(current_message=1), "Its “current_message” is not a UUID"),
    "tools that are no list": (put(tools_off="add_task"), "Its “tools_off” is not a list of names"),
    "tools that are no names": (put(tools_off=["add_task", 7]), "Its “tools_off” is not a text"),
    "very many tools": (put(tools_off=["a"] * 1_001), "Its “tools_off” is not a list of names"),
    "a temperature of the sun": (put(temperature=5778), "Its temperature is not a number"),
    "an endless error": (put_in(1, generation={"status": "failed", "error": "x" * 4_001}), "longer than 4,000"),
    "half a character in a tool call": (put_in(1, tool_calls=[{"\udc00": 1}]), "neither text nor a number"),
    "tool calls that are no objects": (put_in(1, tool_calls=[{}, "look"]), "not a list of objects"),
    "very many tool calls": (put_in(1, tool_calls=[{}] * 2_001), "are more than 2,000"),
    "endless tool calls": (put_in(1, tool_calls=[{"a": "x" * 1_000_001}]), "longer than 1,000,000"),
    "a list that has no end": (put_in(1, tool_calls=[{"a": [[[]]] * 60_000}]), "too many values"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_conversation_says_why_and_harms_no_other(owner: Visitor, damage: str) -> None:
    first, broken, last = conversation("First"), conversation("Broken"), conversation("Last")
    change, sentence = DAMAGES[damage]
    change(broken)
    answer = owner.upload("/import/", document(first, broken, last))
    assert outcomes(answer) == ["imported", "failed", "imported"]
    words = told(answer)[1][1]
    assert "Conversation 2 was not imported." in words
    assert sentence in words
    assert set(Conversation.objects.values_list("title", flat=True)) == {"First", "Last"}
    assert Message.objects.count() == 4


@pytest.mark.parametrize(
    "broken",
    [
        b'{"id": 1, "title": "Broken", "messages": [NaN]}',
        b'{"title": "Broken", "messages": [{"x": 1e999}]}',
        b'{"title": "Broken", "messages": [' + b"9" * 5_000 + b"]}",
        b'{"title": "Broken", "messages": [{"content": "\xff\xfe"}]}',
        b'{"title": "Broken", "messages": [}]',
        b'{"title": "Broken", "messages": ["never closed]}',
        b'{"title": "Broken", "messages": ' + b"[" * 100_000,
        b'{"title": "Broken", "messages": [{"content": "' + b"x" * 17_000_000 + b'"}]}',
        b'{"title": "Broken", "messages": [{"content": "' + b"\\" * 400_001 + b'"}]}',
        b"5",
        b'[{"title": "Broken"}]',
    ],
    ids=["NaN", "overflow", "digits", "no UTF-8", "brackets", "quote", "depth", "length", "escapes", "number", "list"],
)
def test_json_that_breaks_in_the_middle_harms_no_conversation_after_it(owner: Visitor, broken: bytes) -> None:
    first, last = document(conversation("First"), conversation("Last")).split(b",\n{", 1)
    answer = owner.upload("/import/", first + b",\n" + broken + b",\n{" + last)
    assert outcomes(answer) == ["imported", "failed", "imported"]
    assert set(Conversation.objects.values_list("title", flat=True)) == {"First", "Last"}


def test_a_file_that_is_cut_off_keeps_what_was_whole(owner: Visitor) -> None:
    file = document(conversation("First"), conversation("Second"))
    for length in range(len(file) - 30, len(file) // 2 + 30, -97):
        Conversation.objects.all().delete()
        kinds = told(owner.upload("/import/", file[:length]))
        assert [kind for kind, _ in kinds][:2] == ["imported", "failed"]
        assert "The rest of the file could not be read" in kinds[-2][1]
        assert Conversation.objects.get().title == "First"


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (b"hello", "not an export of Chatbot"),
        (b"PK\x03\x04 a zip archive", "not an export of Chatbot"),
        (b"[1, 2]", "not an export of Chatbot"),
        (b"{}", "not an export of Chatbot"),
        (b'{"conversations": []}', "not an export of Chatbot"),
        (b'{"format": "chatbot-conversations", "version": "1", "conversations": []}', "not an export of Chatbot"),
        (b'{"format": "chatbot-conversations", "version": 1, "conversations": {"a": 1}}', "not an export"),
        (document(conversation(), version=2), "a newer version"),
        (document(), "no conversations"),
        ("﻿".encode() + document(), "no conversations"),
        (b"[" * 1_000_000, "not an export of Chatbot"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_a_sentence(owner: Visitor, file: bytes, sentence: str) -> None:
    answer = owner.upload("/import/", file)
    assert outcomes(answer) == ["failed"]
    assert sentence in told(answer)[0][1]
    assert "Nothing was imported." in told(answer)[-1][1]
    assert not Conversation.objects.exists()


def test_a_form_without_a_file_or_with_an_empty_one_comes_back(owner: Visitor) -> None:
    assert owner.upload("/import/", b"").status == 422
    answer = owner.upload("/import/", b"x", name="other")
    assert answer.status == 422
    assert "Choose a file first." in answer.text
