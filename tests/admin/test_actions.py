"""What staff do with conversations."""

import io
import json
import zipfile

import pytest
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.test import Client

from accounts.models import User
from conversations.models import Conversation, Feedback, Generation, Message, Status, ToolCall
from tests.admin.conftest import READ, Staff, member
from tests.factories import ConversationFactory, MessageFactory, ReplyFactory, exchange
from tests.kit.server import ChatServer
from tests.support.visitor import Visitor

LIST = "/admin/conversations/conversation/"
Fields = dict[str, str | list[str]]


def act(client: Client, action: str, *conversations: Conversation, **more: str) -> object:
    keys = [str(conversation.pk) for conversation in conversations]
    return client.post(LIST, {"action": action, "_selected_action": keys, "index": "0", **more})


def act_here(client: Client, action: str, conversation: Conversation) -> object:
    data = {"CHANGE_FORM-action": action, "_selected_action": str(conversation.pk)}
    return client.post(f"{LIST}{conversation.pk}/change/", data)


def log(conversation: Conversation) -> list[tuple[int, str]]:
    entries = LogEntry.objects.filter(object_id=str(conversation.pk)).order_by("pk")
    return list(entries.values_list("action_flag", "change_message"))


@pytest.mark.django_db
def test_conversations_go_to_the_trash_and_their_replies_stop(staff: Staff, answer: Message) -> None:
    other = ConversationFactory.create()
    MessageFactory.create(conversation=other)
    open_reply = ReplyFactory.create(conversation=other, content="", generation__status=Status.PENDING)
    act(staff("view_conversation", "delete_conversation"), "trash", answer.conversation, other)
    assert Conversation.objects.filter(trashed_at=None).count() == 0
    assert Generation.objects.get(pk=open_reply.pk).status == Status.STOPPED
    assert log(other) == [(CHANGE, "Moved to the trash.")]
    assert Conversation.objects.trash_of(answer.user).exists()


@pytest.mark.django_db
def test_erasing_says_first_exactly_what_goes(staff: Staff, answer: Message) -> None:
    Feedback.objects.create(message=answer, user=answer.user, rating="up")
    ToolCall.objects.create(message=answer, user=answer.user, tool="look_up")
    keep = exchange(ConversationFactory.create(), "Stay", "Yes").conversation
    client = staff("view_conversation", "delete_conversation")
    html = act(client, "erase", answer.conversation).content.decode()  # type: ignore[attr-defined]
    for told in (
        answer.user.email,
        str(answer.conversation_id),
        "2 messages, 34 characters",
        "1 with feedback",
        "1 tool call",
    ):
        assert told in html, told
    assert "Capitals" not in html
    assert Conversation.objects.count() == 2
    assert log(answer.conversation) == []
    act(client, "erase", answer.conversation, post="yes")
    assert list(Conversation.objects.all()) == [keep]
    assert not Message.objects.filter(conversation=answer.conversation_id).exists()
    assert not ToolCall.objects.exists()
    assert log(answer.conversation) == [(DELETION, "Erasing permanently.")]
    assert not LogEntry.objects.filter(object_repr__contains="Capitals").exists()


@pytest.mark.django_db
def test_a_conversation_is_erased_from_its_own_pages_too(staff: Staff, answer: Message) -> None:
    other = exchange(ConversationFactory.create(), "Other", "Yes").conversation
    client = staff("view_conversation", "delete_conversation")
    path = f"{LIST}{answer.conversation_id}/delete/"
    assert "Erase permanently" in client.get(path).content.decode()
    assert client.post(path).status_code == 200
    assert Conversation.objects.count() == 2
    assert client.post(path, {"post": "yes"}).status_code == 302
    assert list(Conversation.objects.all()) == [other]
    assert "Erase permanently?" in act_here(client, "erase", other).content.decode()  # type: ignore[attr-defined]
    data = {"CHANGE_FORM-action": "erase", "_selected_action": str(other.pk), "post": "yes"}
    assert client.post(f"{LIST}{other.pk}/change/", data)["Location"] == LIST
    assert not Conversation.objects.exists()


@pytest.mark.django_db
def test_a_reply_that_nobody_makes_ends_at_once_and_one_that_is_made_is_asked(staff: Staff) -> None:
    for status, then in ((Status.PENDING, Status.STOPPED), (Status.RUNNING, Status.RUNNING)):
        conversation = ConversationFactory.create()
        MessageFactory.create(conversation=conversation)
        reply = ReplyFactory.create(conversation=conversation, content="", generation__status=status)
        if status == Status.RUNNING:
            Generation.objects.filter(pk=reply.pk).update(worker="other", heartbeat_at="2999-01-01T00:00Z")
        client = staff("view_conversation", "stop_generation")
        assert "Stop the reply" in client.get(f"{LIST}{conversation.pk}/change/").content.decode()
        act_here(client, "stop", conversation)
        generation = Generation.objects.get(pk=reply.pk)
        assert generation.status == then
        assert generation.stop_requested_at is not None
        assert log(conversation) == [(CHANGE, "Stopped a reply.")]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("action", "needed"),
    [
        ("export_markdown", "read_message"),
        ("export_json", "read_message"),
        ("stop", "stop_generation"),
        ("trash", "delete_conversation"),
        ("erase", "delete_conversation"),
    ],
)
def test_each_action_has_its_own_permission(staff: Staff, answer: Message, action: str, needed: str) -> None:
    others = {"read_message", "stop_generation", "delete_conversation", "change_conversation"} - {needed}
    client = staff("view_conversation", *others)
    act(client, action, answer.conversation, post="yes")
    act_here(client, action, answer.conversation)
    assert log(answer.conversation) == []
    assert Conversation.objects.filter(trashed_at=None).count() == 1
    assert f'value="{action}"' not in client.get(LIST).content.decode()
    assert f'value="{action}"' in staff("view_conversation", needed).get(LIST).content.decode()


@pytest.mark.django_db
def test_only_what_was_selected_is_acted_on(staff: Staff, answer: Message) -> None:
    other = exchange(ConversationFactory.create(), "Other", "Yes").conversation
    act(staff(), "trash", answer.conversation, select_across="1")
    assert Conversation.objects.get(trashed_at=None) == other


def test_exports_are_written_down_and_hold_what_was_said(server: ChatServer, user: User) -> None:
    answer = exchange(ConversationFactory.create(user=user, title="Capitals"), "Capital of France?", "Paris.")
    other = exchange(ConversationFactory.create(user=user, title="Others"), "Of Spain?", "Madrid.")
    reader = Visitor(server, member(*READ))
    assert reader.get(LIST).status == 200

    one: Fields = {"action": "export_markdown", "_selected_action": str(answer.conversation_id), "index": "0"}
    text = reader.post(LIST, one)
    assert text.status == 200
    assert "Paris." in text.text
    both: Fields = {"_selected_action": [str(answer.conversation_id), str(other.conversation_id)], "index": "0"}
    document = json.loads(reader.post(LIST, both | {"action": "export_json"}).body)
    assert {conversation["title"] for conversation in document["conversations"]} == {"Capitals", "Others"}
    archive = zipfile.ZipFile(io.BytesIO(reader.post(LIST, both | {"action": "export_markdown"}).body))
    assert len(archive.namelist()) == 2
    told = [what for _, what in log(answer.conversation)]
    assert told == ["Exported as Markdown.", "Exported as JSON.", "Exported as Markdown."]
