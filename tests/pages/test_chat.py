"""The chat page over HTTP, read and changed by its owner, a stranger and somebody who is not signed in."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from conversations.models import Conversation, Generation, Message, Status
from conversations.pages.lists import grouped
from tests.factories import ConversationFactory, MessageFactory, ReplyFactory, exchange
from tests.support.elements import read
from tests.support.pages import HTMX, further, page

pytestmark = pytest.mark.django_db


# --- Reading ----------------------------------------------------------------------------------------------------------


def test_the_new_chat_page_greets_and_lists_the_conversations(signed_in: Client, conversation: Conversation) -> None:
    html = page(signed_in, "/")
    assert "Good " in html
    assert "Capitals" in html
    assert conversation.get_absolute_url() in html


def test_a_new_chat_can_be_asked_for_by_htmx(signed_in: Client) -> None:
    assert "Good " in page(signed_in, "/", **HTMX)


def test_a_conversation_shows_question_and_formatted_answer(signed_in: Client, conversation: Conversation) -> None:
    html = page(signed_in, conversation.get_absolute_url())
    assert "Capital of France?" in html
    assert "<strong>Paris</strong>" in html


def test_html_in_every_field_is_shown_as_text(user: User, signed_in: Client) -> None:
    attack = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    conversation = ConversationFactory.create(user=user, title=attack)
    exchange(conversation, attack, attack)
    ReplyFactory.create(conversation=conversation, content="", generation__status="failed", generation__error=attack)
    html = page(signed_in, conversation.get_absolute_url())
    assert "<script>alert" not in html
    assert "<img src=x" not in html


@pytest.mark.parametrize("path", ["/", "/c/{}/", "/messages/{}/stream/"])
def test_somebody_who_is_not_signed_in_is_sent_to_sign_in(client: Client, path: str) -> None:
    response = client.get(path.format(uuid4()))
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/?next=")


def test_a_session_that_ended_answers_htmx_with_a_sentence(client: Client) -> None:
    response = client.post("/", {"message": "Hello"}, headers=HTMX)
    assert response.status_code == 401
    assert "Sign in again" in response.content.decode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/c/{conversation}/"),
        ("post", "/c/{conversation}/"),
        ("post", "/c/{conversation}/rename/"),
        ("post", "/c/{conversation}/delete/"),
        ("get", "/messages/{reply}/stream/"),
        ("post", "/messages/{reply}/stop/"),
        ("post", "/messages/{reply}/retry/"),
    ],
)
@pytest.mark.parametrize("which", ["another's", "unknown"])
def test_anothers_and_unknown_objects_are_not_found(
    conversation: Conversation, other_client: Client, method: str, path: str, which: str
) -> None:
    keys = {"conversation": conversation.pk, "reply": Message.objects.get(role="assistant").pk}
    if which == "unknown":
        keys = dict.fromkeys(keys, uuid4())
    response = getattr(other_client, method)(path.format(**keys), {"message": "Hello", "title": "Mine"})
    assert response.status_code == 404
    assert Conversation.objects.get() == conversation
    assert Message.objects.count() == 2


@pytest.mark.parametrize("path", ["/c/1/", "/c/not-a-uuid/", "/messages/x/stream/", "/messages/x/stop/"])
def test_a_malformed_key_is_not_found(signed_in: Client, path: str) -> None:
    assert signed_in.get(path).status_code == 404


@pytest.mark.parametrize("query", ["before=x", "before=1-2", "conversations=x"])
def test_a_malformed_cursor_is_a_bad_request(signed_in: Client, conversation: Conversation, query: str) -> None:
    assert signed_in.get(f"{conversation.get_absolute_url()}?{query}").status_code == 400


def test_the_newest_fifty_messages_come_first_and_the_older_ones_on_request(user: User, signed_in: Client) -> None:
    conversation = ConversationFactory.create(user=user)
    for number in range(60):
        exchange(conversation, f"Question-{number:03}", f"Answer-{number:03}")
    first = page(signed_in, conversation.get_absolute_url())
    assert re.findall(r"Question-(\d+)", first) == [f"{number:03}" for number in range(35, 60)]
    older = page(signed_in, further(first, "before"), **HTMX)
    assert re.findall(r"Question-(\d+)", older) == [f"{number:03}" for number in range(10, 35)]
    assert "<html" not in older


def test_the_list_goes_on_where_it_ended(user: User, signed_in: Client) -> None:
    now = timezone.now()
    for number in range(40):
        ConversationFactory.create(user=user, title=f"Title-{number:02}", updated_at=now - timedelta(minutes=number))
    first = page(signed_in, "/")
    assert len(set(re.findall(r"Title-\d+", first))) == 30
    rest = page(signed_in, further(first, "conversations"), **HTMX)
    assert set(re.findall(r"Title-\d+", rest)) == {f"Title-{number}" for number in range(30, 40)}


def test_the_page_costs_few_queries_whatever_it_shows(
    user: User, signed_in: Client, django_assert_max_num_queries: object
) -> None:
    conversation = ConversationFactory.create(user=user)
    for number in range(40):
        exchange(conversation, f"Question {number}", f"Answer {number}")
        exchange(ConversationFactory.create(user=user), "Question", "Answer")
    with django_assert_max_num_queries(7):  # type: ignore[operator]
        page(signed_in, conversation.get_absolute_url())


def test_conversations_are_grouped_by_the_readers_days() -> None:
    now = datetime(2026, 5, 10, 1, 30, tzinfo=UTC)
    ages = [timedelta(), timedelta(hours=3), timedelta(days=3), timedelta(days=8), timedelta(days=40)]
    conversations = [ConversationFactory.create(updated_at=now - age) for age in ages]
    with timezone.override("UTC"):
        labels = [group.label for group in grouped(conversations, now=now)]
    assert labels == ["Today", "Yesterday", "Previous 7 days", "May 2026", "March 2026"]
    with timezone.override("America/New_York"):
        assert [group.label for group in grouped(conversations, now=now)][:2] == ["Today", "Previous 7 days"]


def test_a_broken_time_zone_cookie_does_no_harm(signed_in: Client) -> None:
    for zone in ("Nowhere/Land", "../../etc/passwd", "/etc/localtime", "", "\x01" * 10, "a" * 5_000):
        signed_in.cookies["timezone"] = zone
        page(signed_in, "/")


def test_the_chat_is_kept_in_no_cache(signed_in: Client, conversation: Conversation) -> None:
    assert "no-store" in signed_in.get(conversation.get_absolute_url())["Cache-Control"]


# --- Changing ---------------------------------------------------------------------------------------------------------


def test_renaming_changes_the_title(signed_in: Client, conversation: Conversation) -> None:
    response = signed_in.post(f"{conversation.get_absolute_url()}rename/", {"title": " Europe "})
    assert response.status_code == 302
    conversation.refresh_from_db()
    assert conversation.title == "Europe"


@pytest.mark.parametrize("title", ["", "  ", "x" * 256, "a\0b"])
def test_a_bad_title_is_refused(signed_in: Client, conversation: Conversation, title: str) -> None:
    response = signed_in.post(f"{conversation.get_absolute_url()}rename/", {"title": title})
    assert response.status_code == 422
    conversation.refresh_from_db()
    assert conversation.title == "Capitals"


def test_a_get_changes_nothing(signed_in: Client, conversation: Conversation) -> None:
    for action in ("rename", "delete"):
        assert signed_in.get(f"{conversation.get_absolute_url()}{action}/").status_code == 405
    assert Conversation.objects.exists()


def test_a_failed_reply_shows_its_sentence_and_retry(signed_in: Client, conversation: Conversation) -> None:
    reply = ReplyFactory.create(
        conversation=conversation, content="", generation__status="failed", generation__error="The wire broke."
    )
    html = page(signed_in, conversation.get_absolute_url())
    assert "The wire broke." in html
    assert "Retry" in html
    response = signed_in.post(f"/messages/{reply.pk}/retry/", headers=HTMX)
    assert f"/messages/{reply.pk}/stream/" in response.content.decode()
    assert "HX-Retarget" not in response
    assert Generation.objects.get(pk=reply.pk).status == Status.PENDING


@pytest.mark.parametrize(
    ("code", "parameters", "sentence"),
    [
        (
            "provider_rate_limited",
            {"retry_after": 20.0},
            "receiving too many requests. Your message is saved. Please try again in about 20 seconds.",
        ),
        ("of_next_year", {"moon": 7}, "Something went wrong. Nothing you wrote is lost. Please try again."),
    ],
)
def test_a_reply_that_failed_for_a_code_shows_the_sentence_of_it(
    signed_in: Client, conversation: Conversation, code: str, parameters: dict[str, Any], sentence: str
) -> None:
    ReplyFactory.create(
        conversation=conversation,
        content="",
        generation__status="failed",
        generation__error_code=code,
        generation__error_params=parameters,
    )
    assert sentence in page(signed_in, conversation.get_absolute_url())


def test_a_retry_of_a_failed_reply_with_text_brings_the_branch_of_its_alternative(
    signed_in: Client, conversation: Conversation
) -> None:
    reply = ReplyFactory.create(conversation=conversation, content="Half", generation__status="failed")
    response = signed_in.post(f"/messages/{reply.pk}/retry/", headers=HTMX)
    answer = Message.objects.get(parent=reply.parent, generation__status=Status.PENDING)
    assert f"/messages/{answer.pk}/stream/" in response.content.decode()
    assert (response["HX-Retarget"], response["HX-Reswap"]) == ("#messages", "innerHTML")
    reply.refresh_from_db()
    assert (reply.content, reply.generation.status) == ("Half", Status.FAILED)


def test_retrying_a_complete_reply_is_a_conflict(signed_in: Client, conversation: Conversation) -> None:
    reply = Message.objects.get(role="assistant")
    assert signed_in.post(f"/messages/{reply.pk}/retry/", headers=HTMX).status_code == 409


def test_only_a_reply_can_be_streamed_stopped_and_retried(signed_in: Client, conversation: Conversation) -> None:
    question = MessageFactory.create(conversation=conversation)
    assert signed_in.get(f"/messages/{question.pk}/stream/").status_code == 404
    assert signed_in.post(f"/messages/{question.pk}/stop/").status_code == 404
    assert signed_in.post(f"/messages/{question.pk}/retry/").status_code == 404


# --- Preferences ------------------------------------------------------------------------------------------------------


def test_a_preference_is_remembered_and_shown(signed_in: Client) -> None:
    response = signed_in.post("/preferences/", {"theme": "dark", "next": "/c/x/"})
    assert (response.status_code, response["Location"]) == (302, "/c/x/")
    assert 'data-theme="dark"' in page(signed_in, "/")


def test_a_preferences_address_is_an_address_and_no_views_name(signed_in: Client) -> None:
    for address in ("foo", "account_logout"):
        assert signed_in.post("/preferences/", {"theme": "dark", "next": address})["Location"] == address


def test_an_unknown_preference_and_a_foreign_address_are_ignored(signed_in: Client) -> None:
    response = signed_in.post("/preferences/", {"theme": "<script>", "next": "https://evil.example/"})
    assert response["Location"] == "/"
    assert "theme" not in response.cookies


# --- The site ---------------------------------------------------------------------------------------------------------


def test_health_needs_no_sign_in(client: Client) -> None:
    assert client.get("/healthz").content == b"ok"


def test_the_policy_for_content_is_strict_on_every_page(signed_in: Client, client: Client) -> None:
    for response in (signed_in.get("/"), client.get("/accounts/login/"), client.get("/missing/")):
        policy = response["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "*" not in policy
        elements = read(response.content.decode())
        assert elements.all("script, style") == elements.all("script[src]")
        assert not [name for one in elements for name in one.attributes if name == "style" or name.startswith("on")]
