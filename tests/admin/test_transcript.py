"""A conversation as staff read it."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.readings import READING
from conversations.actions import branches
from conversations.models import Conversation, Feedback, Generation, Message, Status
from tests.admin.conftest import READ, VIEW, Staff
from tests.factories import ConversationFactory, ReplyFactory, exchange, long_chat
from tests.support import elements

pytestmark = pytest.mark.django_db


def page_of(conversation: Conversation, **address: object) -> str:
    path = f"/admin/conversations/conversation/{conversation.pk}/change/"
    return path + "?" + "&".join(f"{name}={value}" for name, value in address.items())


def read(client: Client, conversation: Conversation, **address: object) -> str:
    response = client.get(page_of(conversation, **address))
    assert response.status_code == 200
    return response.content.decode()


def readings(conversation: Conversation) -> list[LogEntry]:
    return list(LogEntry.objects.filter(object_id=str(conversation.pk), action_flag=READING).order_by("pk"))


def test_what_was_said_is_shown_as_the_chat_renders_it(staff: Staff, answer: Message) -> None:
    exchange(answer.conversation, "<script>alert(1)</script>", "Not <img src=x onerror=alert(2)> this.")
    html = read(staff(*READ), answer.conversation)
    assert "Capital of France?" in html
    assert "It is <strong>Paris</strong>." in html
    assert "&lt;script&gt;alert(1)" in html
    assert "onerror=" not in html.replace("onerror=alert(2)&gt;", "")
    assert "Capitals" in html


def test_beside_a_reply_stands_how_it_was_made_and_what_the_person_thinks(staff: Staff, answer: Message) -> None:
    began = timezone.now()
    Generation.objects.filter(pk=answer.pk).update(
        status=Status.FAILED,
        model="large",
        prompt_tokens=1200,
        completion_tokens=34,
        reasoning="France has one capital.",
        reasoning_seconds=4.25,
        error_code="provider_timeout",
        error_detail="read timed out",
        error="It took too long.",
        worker="web-1",
        started_at=began,
        first_token_at=began + timedelta(milliseconds=500),
        finished_at=began + timedelta(seconds=2),
    )
    Message.objects.filter(pk=answer.pk).update(tool_calls=[{"name": "look_up"}])
    Feedback.objects.create(message=answer, user=answer.user, rating="down", comment="Too short")
    html = read(staff(*READ), answer.conversation)
    shown = ("failed", "large", "1,234 tokens", "0.50 s", "2.00 s", "web-1", "provider_timeout", "read timed out")
    for text in (*shown, "It took too long.", "France has one capital.", "look_up", "Down", "Too short"):
        assert text in html, text


def test_staff_read_what_the_person_reads_of_a_failure(staff: Staff, answer: Message) -> None:
    failed = Generation.objects.filter(pk=answer.pk)
    failed.update(status=Status.FAILED, error_code="reply_too_long", error_params={"limit": 20_000})
    assert "stopped at 20,000 characters" in read(staff(*READ), answer.conversation)
    listed = staff().get(f"/admin/conversations/generation/{answer.pk}/change/")
    assert "stopped at 20,000 characters" in listed.content.decode()


def test_a_reply_that_was_cut_says_so(staff: Staff, answer: Message) -> None:
    Generation.objects.filter(pk=answer.pk).update(finish_reason="length")
    html = read(staff(*READ), answer.conversation)
    assert "cut at the model&#x27;s limit" in html or "cut at the model's limit" in html
    assert "<code>length</code>" in html


def test_each_opening_is_written_down_before_it_is_shown_superusers_too(staff: Staff, answer: Message) -> None:
    for client in (staff(*READ), staff()):
        read(client, answer.conversation)
    first, second = readings(answer.conversation)
    assert first.user != second.user
    assert first.change_message.startswith("Read 2 messages, said ")
    assert first.object_repr == f"conversation {answer.conversation_id}"
    history = staff("view_conversation").get(f"/admin/conversations/conversation/{answer.conversation_id}/history/")
    assert first.user.email in history.content.decode()
    assert "Read 2 messages" in history.content.decode()


@pytest.mark.parametrize("page", ["{key}/change/", "search/?q=paris", "search/?q=paris&email={email}"])
def test_what_cannot_be_written_down_is_not_shown(staff: Staff, answer: Message, page: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_admin_log ADD CONSTRAINT full_disk CHECK (false) NOT VALID")
    client = staff()
    client.raise_request_exception = False
    path = page.format(key=answer.conversation_id, email=answer.user.email)
    response = client.get(f"/admin/conversations/conversation/{path}")
    assert response.status_code == 500
    assert "Paris" not in response.content.decode()


def test_without_the_permission_to_read_only_facts_are_shown_and_nobody_has_read(staff: Staff, answer: Message) -> None:
    Conversation.objects.filter(pk=answer.conversation_id).update(system_prompt="Be kind to me")
    html = read(staff(*VIEW), answer.conversation, at=answer.pk)
    assert answer.user.email in html
    for said in ("Capital", "Paris", "Be kind"):
        assert said not in html
    assert readings(answer.conversation) == []


def test_where_the_conversation_is_stands_above_it(staff: Staff, answer: Message, settings: object) -> None:
    client = staff(*READ)
    conversations = Conversation.objects.filter(pk=answer.conversation_id)
    conversations.update(archived_at=timezone.now())
    assert "Archived since" in read(client, answer.conversation)
    conversations.update(trashed_at=timezone.now())
    assert "can restore it until" in read(client, answer.conversation)
    conversations.update(trashed_at=timezone.now() - timedelta(days=90))
    assert "can no longer see it" in read(client, answer.conversation)


def test_all_branches_are_reached_and_the_persons_choice_stays(staff: Staff, answer: Message) -> None:
    conversation = answer.conversation
    exchange(conversation, "And of Spain?", "Madrid.")
    other = ReplyFactory.create(conversation=conversation, parent=answer.parent, content="Lyon, once.")
    branches.choose(other)
    before = Conversation.objects.values().get(pk=conversation.pk)
    client = staff(*READ)
    html = read(client, conversation)
    assert "Lyon, once." in html
    assert "Madrid." not in html
    assert "2 / 2" in html
    assert f"?at={answer.pk}#m-{answer.pk}" in html
    html = read(client, conversation, at=answer.pk)
    assert "Madrid." in html
    assert "Lyon" not in html
    assert "This is not the person's current branch." in html
    assert Conversation.objects.values().get(pk=conversation.pk) == before
    assert Message.objects.filter(chosen_at__isnull=False).count() == 1


def test_a_long_conversation_is_read_in_parts_at_the_same_cost(staff: Staff) -> None:
    conversation = ConversationFactory.create()
    messages = long_chat(conversation, 1_000)
    client = staff(*READ)
    read(client, conversation)
    with CaptureQueriesContext(connection) as long:
        html = read(client, conversation)
    assert "Message-00999" in html
    assert "Message-00950" in html
    assert "Message-00949" not in html
    earlier = elements.read(html).one('a[href^="?before="]')["href"].removeprefix("?before=")
    html = read(client, conversation, before=earlier)
    assert "Message-00949" in html
    assert "Message-00900" in html
    assert "Message-00950" not in html
    html = read(client, conversation, at=messages[0].pk)
    assert "Message-00000" in html
    later = elements.read(html).one('nav[aria-label="Later messages"] a[href^="?at="]')["href"]
    assert "Message-00049" in read(client, conversation, at=later.removeprefix("?at=").partition("#")[0])
    short = exchange(ConversationFactory.create(), "A", "B").conversation
    with CaptureQueriesContext(connection) as little:
        read(client, short)
    assert len(long) == len(little)
    assert len(readings(conversation)) == 5


def test_what_is_not_there_is_not_found(staff: Staff, answer: Message) -> None:
    stranger = exchange(ConversationFactory.create(), "Hello", "Hi")
    client = staff(*READ)
    assert client.get(page_of(answer.conversation, at=stranger.pk)).status_code == 404
    assert client.get(page_of(answer.conversation, before=uuid4())).status_code == 404
    assert client.get(page_of(answer.conversation, at="nonsense")).status_code == 400
    assert client.get(f"/admin/conversations/conversation/{uuid4()}/change/").status_code == 404
    assert readings(answer.conversation) == []


@pytest.mark.parametrize("model", ["message", "generation"])
def test_other_pages_lead_to_the_transcript_and_show_no_text(staff: Staff, answer: Message, model: str) -> None:
    Generation.objects.filter(pk=answer.pk).update(reasoning="Hm, France.", draft="It is")
    html = staff().get(f"/admin/conversations/{model}/{answer.pk}/change/").content.decode()
    assert f"/admin/conversations/conversation/{answer.conversation_id}/change/?at={answer.pk}#m-{answer.pk}" in html
    for said in ("Paris", "Hm, France", "Capital"):
        assert said not in html
