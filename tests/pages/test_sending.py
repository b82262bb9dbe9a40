"""Sending a message over HTTP: what is stored, what is refused, and what is given back then."""

from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from conversations.models import Conversation, Message, Status
from tests.factories import ReplyFactory
from tests.support.pages import HTMX

pytestmark = pytest.mark.django_db
URL_ENCODED = "application/x-www-form-urlencoded"


def test_the_first_message_swaps_in_the_conversation(signed_in: Client) -> None:
    response = signed_in.post("/", {"message": "What is the capital of France?", "turn": str(uuid4())}, headers=HTMX)
    conversation = Conversation.objects.get()
    assert response.status_code == 200
    assert response["HX-Push-Url"] == conversation.get_absolute_url()
    reply = Message.objects.get(role="assistant")
    assert f"/messages/{reply.pk}/stream/" in response.content.decode()


def test_a_further_message_appends_the_turn(signed_in: Client, conversation: Conversation) -> None:
    response = signed_in.post(conversation.get_absolute_url(), {"message": "And of Spain?"}, headers=HTMX)
    html = response.content.decode()
    assert response.status_code == 200
    assert "And of Spain?" in html
    assert "Capital of France?" not in html


def test_the_same_turn_twice_is_one_turn_and_answers_the_same(signed_in: Client) -> None:
    data = {"message": "Hello", "turn": str(uuid4())}
    first = signed_in.post("/", data, headers=HTMX)
    second = signed_in.post("/", data, headers=HTMX)
    assert first["HX-Push-Url"] == second["HX-Push-Url"]
    assert Message.objects.count() == 2


@pytest.mark.parametrize(
    ("message", "stored"),
    [
        ("    def f():\n        pass\n\n", "    def f():\n        pass"),
        ("\n  \r\n\t\n\tx\r\n", "\tx"),
        ("\u3000\u3000段落", "\u3000\u3000段落"),
        ("x \n \n", "x"),
    ],
)
def test_a_message_keeps_the_indent_of_its_first_line(signed_in: Client, message: str, stored: str) -> None:
    response = signed_in.post("/", {"message": message}, headers=HTMX)
    assert Message.objects.get(role="user").content == stored
    assert f">{stored}</div>" in response.content.decode()


@pytest.mark.parametrize("message", ["", "   ", "\n \t"])
def test_a_blank_message_is_refused(signed_in: Client, message: str) -> None:
    response = signed_in.post("/", {"message": message}, headers=HTMX)
    assert response.status_code == 422
    assert "Type a message first." in response.content.decode()
    assert not Message.objects.exists()


def test_a_message_over_the_limit_is_refused_and_kept_in_the_box(signed_in: Client, settings: Settings) -> None:
    settings.CHAT_MESSAGE_MAX_CHARS = 100
    assert signed_in.post("/", {"message": "x" * 101}, headers=HTMX).status_code == 422
    response = signed_in.post("/", {"message": "y" * 101})
    assert response.status_code == 422
    assert "y" * 101 in response.content.decode()
    assert not Message.objects.exists()


def test_a_line_end_counts_as_one_character(signed_in: Client, settings: Settings) -> None:
    settings.CHAT_MESSAGE_MAX_CHARS = 9
    assert signed_in.post("/", {"message": "a\r\nb\r\nc\r\nd\r\ne"}, headers=HTMX).status_code == 200
    assert Message.objects.get(role="user").content == "a\nb\nc\nd\ne"


def test_a_megabyte_is_refused_with_a_sentence(signed_in: Client) -> None:
    response = signed_in.post("/", {"message": "x" * 1_000_000}, headers=HTMX)
    assert response.status_code == 422
    assert "too long" in response.content.decode()
    assert not Message.objects.exists()


def test_bytes_that_are_not_utf8_are_refused(signed_in: Client) -> None:
    response = signed_in.post("/", b"message=caf%E9", content_type=URL_ENCODED, headers=HTMX)
    assert response.status_code == 400
    assert not Message.objects.exists()


def test_a_replacement_character_that_was_typed_is_kept(signed_in: Client) -> None:
    body = urlencode({"message": "What is \N{REPLACEMENT CHARACTER}?"})
    assert signed_in.post("/", body, content_type=URL_ENCODED, headers=HTMX).status_code == 200
    assert Message.objects.filter(content="What is \N{REPLACEMENT CHARACTER}?").exists()


def test_a_nul_byte_is_refused(signed_in: Client) -> None:
    response = signed_in.post("/", b"message=a%00b", content_type=URL_ENCODED, headers=HTMX)
    assert response.status_code == 422
    assert not Message.objects.exists()


def test_a_malformed_turn_is_refused(signed_in: Client) -> None:
    assert signed_in.post("/", {"message": "Hello", "turn": "x"}, headers=HTMX).status_code == 422
    assert not Message.objects.exists()


def test_a_second_turn_while_a_reply_runs_is_a_conflict(signed_in: Client, conversation: Conversation) -> None:
    ReplyFactory.create(conversation=conversation, content="", generation__status=Status.PENDING)
    response = signed_in.post(conversation.get_absolute_url(), {"message": "Hurry"}, headers=HTMX)
    assert response.status_code == 409
    assert "still answering" in response.content.decode()
    assert not Message.objects.filter(content="Hurry").exists()


def test_too_many_turns_answer_429(signed_in: Client, settings: Settings) -> None:
    settings.CHAT_TURNS_PER_MINUTE = 1
    signed_in.post("/", {"message": "One"}, headers=HTMX)
    assert signed_in.post("/", {"message": "Two"}, headers=HTMX).status_code == 429


@pytest.mark.parametrize("message", ["\u200b", "\ufeff \u00ad", "\u3164\u2060"])
def test_a_message_that_shows_nothing_is_refused(signed_in: Client, message: str) -> None:
    assert signed_in.post("/", {"message": message}, headers=HTMX).status_code == 422


def test_a_body_past_every_limit_is_too_large(signed_in: Client, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    for headers in (HTMX, {}):
        assert (
            signed_in.post(
                "/", urlencode({"message": "x" * 2_000}), content_type=URL_ENCODED, headers=headers
            ).status_code
            == 413
        )


def test_what_was_typed_is_given_back_to_somebody_who_was_signed_out(client: Client) -> None:
    response = client.post("/", {"message": "A long thought"})
    assert response.status_code == 401
    assert "A long thought" in response.content.decode()


def test_a_form_without_a_token_gives_back_what_was_typed(user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    response = client.post("/", {"message": "A long thought"})
    assert response.status_code == 403
    assert "A long thought" in response.content.decode()


def test_a_forged_token_is_refused(user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    for data in ({"message": "Hello"}, {"message": "Hello", "csrfmiddlewaretoken": "x" * 64}):
        response = client.post("/", data, headers=HTMX)
        assert response.status_code == 403
        assert "out of date" in response.content.decode()
        assert client.post("/", data).status_code == 403
    assert not Message.objects.exists()
