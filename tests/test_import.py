"""Bringing conversations back from a file, as their owner and as somebody else."""

import asyncio
import io
import json
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import Model
from django.utils import timezone

from accounts.models import User
from conversations import locks
from conversations.models import Conversation, Feedback, Generation, Message, Status
from conversations.transfer import documents, imports
from conversations.transfer.imports import Outcome, Result
from conversations.transfer.progress import Progress
from tests.factories import ConversationFactory, ReplyFactory, exchange
from tests.server import ChatServer
from tests.visitor import Answer, Visitor

TIME = "2026-05-01T10:00:00+00:00"
Damage = Callable[[dict[str, Any]], object]


@pytest.fixture
def owner(server: ChatServer, user: User) -> Visitor:
    """The person who imports."""
    return Visitor(server, user)


def message(content: str = "Hello", *, parent: str | None = None, role: str = "user", **more: Any) -> dict[str, Any]:
    fields = {"id": str(uuid4()), "parent": parent, "role": role, "content": content, "created_at": TIME}
    return fields | more


def conversation(title: str = "Capitals", messages: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    asked = message("Capital of France?")
    said = messages or [asked, message("Paris.", parent=asked["id"], role="assistant")]
    return {"id": str(uuid4()), "title": title, "created_at": TIME, "updated_at": TIME, "messages": said}


def document(*conversations: Any, **head: Any) -> bytes:
    """A file as the export lays it out."""
    lines = ",\n".join(json.dumps(each) for each in conversations)
    start = json.dumps({"format": "chatbot-conversations", "version": 1} | head)
    return f'{start[:-1]}, "conversations": [\n{lines}\n]}}\n'.encode()


def told(answer: Answer) -> list[tuple[str, str]]:
    """What the page says of each conversation: its class and its words."""
    assert answer.status == 200, answer.text
    found = re.findall(r'<li class="(\w+)"[^>]*>(.*?)</li>', answer.text, re.DOTALL)
    return [(kind, " ".join(unescape(re.sub(r"<[^>]+>", " ", words)).split())) for kind, words in found]


def outcomes(answer: Answer) -> list[str]:
    return [kind for kind, _ in told(answer)][:-1]


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
        generation__thought="Hm.",
        generation__thought_seconds=1.25,
        generation__model="large",
        generation__prompt_tokens=7,
        generation__completion_tokens=0,
        generation__started_at=answer.created_at,
        generation__finished_at=answer.created_at,
        generation__window_start=answer.created_at,
        generation__window_cut=True,
    )
    settled = ConversationFactory.create(user=user, model="small", system_prompt="Be brief.", temperature=0.5)
    answer = exchange(settled, "Hello", "Good day")
    Feedback.objects.create(message=answer, user=user, rating="down", comment="Too brief")
    other = ReplyFactory.create(conversation=settled, parent=answer.parent, chosen_at=answer.created_at)
    exchange(settled, "And then?", "Nothing")
    Conversation.objects.filter(pk=settled.pk).update(
        current_message=other, pinned_at=settled.created_at, archived_at=settled.created_at
    )


# --- What works -------------------------------------------------------------------------------------------------------


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


def test_a_reply_that_was_being_made_is_not_made_again(owner: Visitor, module_provider: Any) -> None:
    for status in ("pending", "running", "interrupted"):
        asked = message("Go")
        found = message("So far", parent=asked["id"], role="assistant", generation={"status": status})
        again = conversation(status, [asked, found])
        assert outcomes(owner.upload("/import/", document(again))) == ["imported"]
        assert "Retry" in owner.get(f"/c/{again['id']}/").text
    assert set(Generation.objects.values_list("status", flat=True)) == {"failed"}
    assert set(Message.objects.filter(role="assistant").values_list("content", flat=True)) == {"So far"}
    assert module_provider.requests == []


def test_fields_of_a_later_version_are_ignored(owner: Visitor) -> None:
    found = conversation() | {"colour": {"deep": [1, [2]]}, "messages": [message(mood="good")]}
    assert outcomes(owner.upload("/import/", document(found, more=[1, {"a": 2}]))) == ["imported"]


# --- What is broken ---------------------------------------------------------------------------------------------------


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
        "Message 2: its “error_code” is no code",
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
    "a null in a text": (put_in(0, content="a\0b"), "no text"),
    "half a character": (put_in(0, content="a\ud800b"), "no text"),
    "a null in a tool call": (put_in(1, tool_calls=[{"a": ["\0"]}]), "no text"),
    "tool calls that are none": (put_in(1, tool_calls="look"), "not a list of objects"),
    "an unknown role": (put_in(0, role="king"), "its role is none of"),
    "a role that is no text": (put_in(0, role=["user"]), "its role is none of"),
    "an empty question": (put_in(0, content=" "), "its text is empty"),
    "a text that is a number": (put_in(1, content=3.5), "its text is not a text"),
    "a huge text": (put_in(1, content="x" * 1_000_001), "longer than 1,000,000"),
    "a time of no calendar": (put_in(0, created_at="2026-02-30T00:00:00Z"), "not a time"),
    "a time long ago": (put_in(0, created_at="0001-01-01T00:00:00+14:00"), "before the year 2000"),
    "a time to come": (put(updated_at="9999-12-31T23:59:59-12:00"), "in the future"),
    "a time without a zone": (put(created_at="2026-05-01T10:00:00"), "lacks a time zone"),
    "a time that is a number": (put(created_at=1e9), "not a time"),
    "an unknown status": (put_in(1, generation={"status": "odd"}), "its status is none of"),
    "a generation that is none": (put_in(1, generation=[1]), "not an object"),
    "tokens that are no count": (put_in(1, generation={"prompt_tokens": -1}), "not a count"),
    "tokens past all counts": (put_in(1, generation={"prompt_tokens": 2**31}), "not a count"),
    "a duration that is none": (put_in(1, generation={"thought_seconds": "1"}), "not a number from"),
    "feedback of a third kind": (thumb, "its feedback has no rating of up or down"),
    "a choice that is no key": (put(current_message=1), "Its “current_message” is not a UUID"),
    "a temperature of the sun": (put(temperature=5778), "Its temperature is not a number"),
    "a list that has no end": (put_in(1, tool_calls=[{"a": [[[]]] * 60_000}]), "more than can be read"),
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
        assert "nothing in this file could be read" in kinds[-2][1]
        assert Conversation.objects.get().title == "First"


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (b"hello", "not an export of this chat"),
        (b"PK\x03\x04 a zip archive", "not an export of this chat"),
        (b"[1, 2]", "not an export of this chat"),
        (b"{}", "not an export of this chat"),
        (b'{"conversations": []}', "not an export of this chat"),
        (b'{"format": "chatbot-conversations", "version": "1", "conversations": []}', "not an export of this chat"),
        (b'{"format": "chatbot-conversations", "version": 1, "conversations": {"a": 1}}', "not an export"),
        (document(conversation(), version=2), "a newer version"),
        (document(), "no conversations"),
        ("﻿".encode() + document(), "no conversations"),
        (b"[" * 1_000_000, "not an export of this chat"),
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


def test_every_column_is_exported_or_left_out_on_purpose(user: User) -> None:
    left_out = {
        Conversation: {"user_id", "trashed_at"},
        Message: {"conversation_id", "user_id"},
        Feedback: {"message_id", "user_id"},
        Generation: {
            *("message_id", "conversation_id", "draft", "worker", "heartbeat_at", "stop_requested_at"),
            *("error_detail", "request_id"),
        },
    }
    reply = exchange(ConversationFactory.create(user=user), "Hello", "Good day")
    reply.feedback = Feedback(message=reply, user=user, rating="up")
    fields: dict[type[Model], dict[str, Any]] = {
        Conversation: documents.conversation_fields(reply.conversation),
        Message: documents.message_fields(reply),
        Feedback: documents.feedback_fields(reply.feedback),
        Generation: documents.generation_fields(reply.generation),
    }
    for model, exported in fields.items():
        names = {field.attname for field in model._meta.concrete_fields} - left_out[model]
        assert {name.removesuffix("_id") if name != "id" else name for name in names} <= set(exported), model


# --- Whose it is ------------------------------------------------------------------------------------------------------


def test_another_persons_keys_are_neither_taken_nor_told_of(
    server: ChatServer, owner: Visitor, user: User, stranger: User
) -> None:
    secret = exchange(ConversationFactory.create(user=stranger, title="Secret"), "Mine", "Yours")
    found = conversation("Guess", [message("Is it there?", id=str(secret.pk))])
    for guess in (found | {"id": str(secret.conversation_id)}, found):
        assert outcomes(owner.upload("/import/", document(guess))) == ["imported"]
        assert outcomes(owner.upload("/import/", document(guess))) == ["here"]
    assert Message.objects.filter(user=stranger).count() == 2
    assert not Conversation.objects.owned_by(user).filter(pk=secret.conversation_id).exists()
    # One's own key stays a key of one's own; a parent of another's is none.
    orphan = conversation("Orphan", [message("Child", parent=str(secret.pk))])
    assert outcomes(owner.upload("/import/", document(orphan))) == ["failed"]


def test_what_is_in_the_trash_stays_there(owner: Visitor) -> None:
    found = document(conversation())
    owner.upload("/import/", found)
    Conversation.objects.update(trashed_at=timezone.now())
    assert outcomes(owner.upload("/import/", found)) == ["trashed"]
    Conversation.objects.update(trashed_at=timezone.now() - timedelta(days=400))
    assert outcomes(owner.upload("/import/", found)) == ["imported"]
    assert Conversation.objects.get().trashed_at is None


def test_somebody_who_is_not_signed_in_cannot_import(server: ChatServer) -> None:
    anybody = Visitor(server)
    assert anybody.get("/import/").status == 302
    assert anybody.upload("/import/", document(conversation())).status == 302
    assert not Conversation.objects.exists()


def test_a_large_file_is_read_only_from_somebody_who_has_signed_in(server: ChatServer, owner: Visitor) -> None:
    file = document(*(conversation(str(number), [message("x" * 900_000)]) for number in range(4)))
    assert Visitor(server).ask("POST", "/import/", None, Content_Length=str(len(file))).status == 413
    assert outcomes(owner.upload("/import/", file)) == ["imported"] * 4


def test_one_person_imports_one_file_at_a_time(owner: Visitor, user: User) -> None:
    with locks.alone(imports.lock_of(user)):
        answer = owner.upload("/import/", document(conversation()))
        assert "Another import of yours is still running" in told(answer)[0][1]
    assert outcomes(owner.upload("/import/", document(conversation()))) == ["imported"]


class SlowFile(io.BytesIO):
    """A file that cannot be read before `may_be_read`."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.may_be_read = threading.Event()

    def readline(self, size: int | None = -1, /) -> bytes:
        self.may_be_read.wait(timeout=20)
        return super().readline(size)


@pytest.mark.django_db(transaction=True)
def test_a_person_keeps_one_file_waiting_at_a_time(user: User) -> None:
    first, second, third = SlowFile(document(conversation())), io.BytesIO(b"{}"), io.BytesIO(document(conversation()))

    async def told_of(progress: Progress) -> list[Result]:
        return [result async for results in progress.results() for result in results]

    async def import_all() -> tuple[list[Result], ...]:
        slow = Progress(user, first)
        refused = await told_of(Progress(user, second))
        is_let_go = second.closed
        first.may_be_read.set()
        done = await told_of(slow)
        assert is_let_go
        return refused, done, await told_of(Progress(user, third))

    refused, done, later = asyncio.run(import_all())
    assert [result.reason for result in refused] == [imports.BUSY]
    assert [result.outcome for result in (*done, *later)] == [Outcome.IMPORTED] * 2
