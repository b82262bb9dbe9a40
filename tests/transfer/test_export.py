"""Taking conversations away as files, as their owner, a stranger, and somebody who is not signed in."""

import io
import json
import zipfile
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db.models import Model
from django.utils import timezone

from accounts.models import User
from conversations.errors.table import sentence_of
from conversations.models import Conversation, Feedback, Generation, Message, Role, Status
from conversations.transfer import documents
from conversations.transfer.markdown_text import split
from tests.factories import ConversationFactory, MessageFactory, ReplyFactory, exchange
from tests.kit.server import ChatServer
from tests.support.visitor import Visitor


def exported(visitor: Visitor, path: str = "/export/?format=json") -> list[dict[str, Any]]:
    answer = visitor.get(path)
    assert answer.status == 200
    document = json.loads(answer.body)
    assert (document["format"], document["version"]) == ("chatbot-conversations", 1)
    conversations: list[dict[str, Any]] = document["conversations"]
    return conversations


def with_branch(user: User) -> Conversation:
    """A conversation whose first answer has an alternative, newer than what followed it."""
    answer = exchange(ConversationFactory.create(user=user, title="Capitals"), "Capital of France?", "It is **Paris**.")
    conversation = answer.conversation
    exchange(conversation, "And of Spain?", "Madrid.")
    other = ReplyFactory.create(conversation=conversation, parent=answer.parent, content="Paris, of course.")
    Conversation.objects.filter(pk=conversation.pk).update(current_message=other)
    return conversation


def test_json_holds_all_that_was_said_on_every_branch(owner: Visitor, user: User) -> None:
    conversation = with_branch(user)
    Message.objects.filter(content="Madrid.").update(tool_calls=[{"name": "look_up", "arguments": {"of": "Spain"}}])
    reply = Message.objects.select_related("generation").get(content="Madrid.")
    reply.generation.model, reply.generation.reasoning, reply.generation.prompt_tokens = "large", "Hm.", 12
    reply.generation.save()
    (found,) = exported(owner)
    assert (found["id"], found["title"]) == (str(conversation.pk), "Capitals")
    assert [message["content"] for message in found["messages"]] == [
        "Capital of France?",
        "It is **Paris**.",
        "And of Spain?",
        "Madrid.",
        "Paris, of course.",
    ]
    first, answer, *_, other = found["messages"]
    assert (first["parent"], answer["parent"], other["parent"]) == (None, first["id"], first["id"])
    made = found["messages"][3]
    assert made["tool_calls"][0]["arguments"] == {"of": "Spain"}
    assert made["generation"]["model"] == "large"
    assert made["generation"]["thought"] == "Hm."
    assert made["generation"]["prompt_tokens"] == 12
    assert "generation" not in first


def test_markdown_has_the_path_first_and_the_other_branches_after_it(owner: Visitor, user: User) -> None:
    conversation = with_branch(user)
    answer = owner.get(f"/c/{conversation.pk}/export/?format=markdown")
    assert answer.headers["Content-Type"].startswith("text/markdown")
    assert "Capitals.md" in answer.headers["Content-Disposition"]
    places = [
        answer.text.index(words)
        for words in ("# Capitals", "Capital of France?", "Paris, of course.", "# Branch 1, after message 1", "Madrid.")
    ]
    assert places == sorted(places)


def test_a_reply_that_was_cut_says_so(owner: Visitor, user: User) -> None:
    reply = exchange(ConversationFactory.create(user=user), "Count", "One two thr")
    Generation.objects.filter(pk=reply.pk).update(finish_reason="length")
    (found,) = exported(owner)
    assert found["messages"][1]["generation"]["finish_reason"] == "length"
    text = owner.get(f"/c/{reply.conversation_id}/export/?format=markdown").text
    assert text.rstrip().endswith("One two thr\n\n*This reply reached the model's length limit.*")


def test_a_reply_that_failed_says_why_in_words_and_for_programs(owner: Visitor, user: User) -> None:
    reply = exchange(ConversationFactory.create(user=user), "Hello", "On and on")
    Generation.objects.filter(pk=reply.pk).update(
        status=Status.FAILED, error_code="reply_too_long", error_params={"limit": 20_000}
    )
    sentence = sentence_of("reply_too_long", {"limit": 20_000})
    assert f"*{sentence}*" in owner.get(f"/c/{reply.conversation_id}/export/?format=markdown").text
    (found,) = exported(owner)
    made = found["messages"][1]["generation"]
    assert (made["error_code"], made["error_params"], made["error"]) == ("reply_too_long", {"limit": 20_000}, sentence)


def test_many_conversations_are_an_archive_of_texts(owner: Visitor, user: User) -> None:
    for title in ("Same", "Same", "../etc/passwd", "Größe: 2/3?", "日本", "???"):
        exchange(ConversationFactory.create(user=user, title=title), f"About {title}", "Yes.")
    answer = owner.get("/export/?format=markdown")
    assert ".zip" in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(set(names)) == 6
        assert not [name for name in names if "/" in name or "\\" in name or ".." in name or ":" in name]
        assert any("Größe 2 3" in name for name in names)
        assert any("日本" in name for name in names)
        assert "About Same" in archive.read(names[0]).decode()


def test_an_empty_account_has_an_empty_export(owner: Visitor) -> None:
    assert exported(owner) == []
    with zipfile.ZipFile(io.BytesIO(owner.get("/export/?format=markdown").body)) as archive:
        assert archive.namelist() == []


def test_more_conversations_than_are_read_at_a_time_come_all_and_once(owner: Visitor, user: User) -> None:
    moment = ConversationFactory.create(user=user).created_at
    ConversationFactory.create_batch(120, user=user, created_at=moment)
    big = ConversationFactory.create(user=user, created_at=moment)
    MessageFactory.create_batch(3, conversation=big, content="x" * 600_000)
    keys = [conversation["id"] for conversation in exported(owner)]
    assert len(keys) == 122
    assert set(keys) == {str(key) for key in Conversation.objects.values_list("pk", flat=True)}


def test_chosen_conversations_are_exported_alone(owner: Visitor, user: User) -> None:
    chosen = [ConversationFactory.create(user=user) for _ in range(3)][:2]
    ids = "&".join(f"ids={conversation.pk}" for conversation in chosen)
    wanted = {str(conversation.pk) for conversation in chosen}
    assert {found["id"] for found in exported(owner, f"/export/?format=json&{ids}")} == wanted
    answer = owner.post("/export/", {"format": "json", "ids": sorted(wanted)})
    assert {found["id"] for found in json.loads(answer.body)["conversations"]} == wanted


def test_a_choice_without_a_format_asks_for_one_and_remembers_the_choice(owner: Visitor, user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    page = owner.post("/export/", {"ids": [str(conversation.pk)]}).text
    assert "1 conversation," in page
    assert f'value="{conversation.pk}"' in page


def test_an_open_reply_is_exported_with_what_it_has_said(owner: Visitor, user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    ReplyFactory.create(
        conversation=conversation, content="", generation__status=Status.PENDING, generation__draft="So far"
    )
    (found,) = exported(owner)
    assert found["messages"][0]["content"] == "So far"
    assert found["messages"][0]["generation"]["status"] == "pending"


def test_what_is_in_the_trash_is_not_exported(owner: Visitor, user: User) -> None:
    thrown_away = ConversationFactory.create(user=user, trashed_at=timezone.now())
    kept = ConversationFactory.create(user=user, archived_at=timezone.now())
    assert [found["id"] for found in exported(owner)] == [str(kept.pk)]
    assert owner.get(f"/c/{thrown_away.pk}/export/?format=json").status == 404


def test_a_stranger_gets_nothing(server: ChatServer, user: User, stranger: User) -> None:
    conversation = exchange(ConversationFactory.create(user=user), "Secret", "Indeed").conversation
    visitor = Visitor(server, stranger)
    for path in (f"/c/{conversation.pk}/export/", f"/c/{conversation.pk}/export/?format=json"):
        assert visitor.get(path).status == 404
    assert visitor.get(f"/export/?format=json&ids={conversation.pk}").status == 404
    assert visitor.post("/export/", {"format": "json", "ids": [str(conversation.pk)]}).status == 404
    assert exported(visitor) == []


def test_somebody_who_is_not_signed_in_is_sent_to_sign_in(server: ChatServer) -> None:
    for path in ("/export/", "/export/?format=json", f"/c/{uuid4()}/export/?format=json"):
        answer = Visitor(server).get(path)
        assert answer.status == 302
        assert answer.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("query", ["format=docx", "format=json&ids=x", "ids="])
def test_an_address_that_makes_no_sense_is_refused(owner: Visitor, query: str) -> None:
    assert owner.get(f"/export/?{query}").status == 400


def test_a_download_is_neither_compressed_nor_kept(owner: Visitor, user: User) -> None:
    exchange(ConversationFactory.create(user=user), "x" * 5_000, "Yes.")
    answer = owner.get("/export/?format=json", Accept_Encoding="gzip")
    assert "Content-Encoding" not in answer.headers
    assert "no-store" in answer.headers["Cache-Control"]


def test_messages_that_go_round_in_a_circle_end() -> None:
    one, two, three = (UUID(int=number) for number in range(3))
    path, branches = split([(one, three), (two, one), (three, two)], three)
    assert sorted([*path, *(key for branch in branches for key in branch)]) == [one, two, three]


def test_a_deep_conversation_is_written_whole(owner: Visitor, user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    messages = [
        Message(conversation=conversation, user=user, role=Role.USER, content=f"Step {number}")
        for number in range(2_000)
    ]
    for before, after in zip(messages, messages[1:], strict=False):
        after.parent = before
    Message.objects.bulk_create(messages)
    text = owner.get(f"/c/{conversation.pk}/export/?format=markdown").text
    assert "Step 0\n" in text
    assert "## 2000. You" in text
    assert "Branch" not in text


def test_every_column_is_exported_or_left_out_on_purpose(user: User) -> None:
    left_out = {
        # What tools may do without asking is for their person to say, not for a file.
        Conversation: {"user_id", "trashed_at", "tools_allowed"},
        Message: {"conversation_id", "user_id"},
        Feedback: {"message_id", "user_id"},
        Generation: {
            *("message_id", "conversation_id", "draft", "worker", "heartbeat_at", "stop_requested_at"),
            *("continues", "options", "error_detail", "request_id", "rounds", "waiting_until"),
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
        names = {str(field.column) for field in model._meta.concrete_fields} - left_out[model]
        assert {name.removesuffix("_id") if name != "id" else name for name in names} <= set(exported), model
