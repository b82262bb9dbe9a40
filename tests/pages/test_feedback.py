"""Thumbs, the word that goes with them, and a message's Markdown: as its owner, a stranger, and nobody."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import override_script_prefix

from accounts.models import User
from conversations.actions import feedback
from conversations.errors.gone import ConversationGone
from conversations.models import Conversation, Feedback, Message
from conversations.templatetags.feedback import thumbs
from tests.factories import ConversationFactory, UserFactory, exchange
from tests.support.elements import read
from tests.support.pages import HTMX

pytestmark = pytest.mark.django_db


@pytest.fixture
def answer(user: User) -> Message:
    """An answer to `user`."""
    return exchange(ConversationFactory.create(user=user), "Capital of France?", "It is **Paris**.\n\n- <really>\n")


def path(message: Message, action: str = "feedback") -> str:
    return f"/messages/{message.pk}/{action}/"


# --- Feedback ---------------------------------------------------------------------------------------------------------


def test_a_thumb_is_kept_and_shown_pressed(signed_in: Client, answer: Message) -> None:
    response = signed_in.post(path(answer), {"rating": "up"}, headers=HTMX)
    assert response.status_code == 200
    assert 'aria-pressed="true"' in response.content.decode()
    kept = Feedback.objects.get()
    assert (kept.message_id, kept.user_id, kept.rating, kept.comment) == (answer.pk, answer.user_id, "up", "")
    thumbs = read(signed_in.get(answer.conversation.get_absolute_url()).content.decode())
    pressed = {name: thumbs.one(f"#{name}-{answer.pk}")["aria-pressed"] for name in ("up", "down")}
    assert pressed == {"up": "true", "down": "false"}


def test_the_other_thumb_takes_its_place_and_keeps_the_word(signed_in: Client, answer: Message) -> None:
    signed_in.post(path(answer), {"rating": "up", "comment": "Short"}, headers=HTMX)
    signed_in.post(path(answer), {"rating": "down"}, headers=HTMX)
    kept = Feedback.objects.get()
    assert (kept.rating, kept.comment) == ("down", "Short")


def test_a_thumb_is_taken_back(signed_in: Client, answer: Message) -> None:
    signed_in.post(path(answer), {"rating": "up"}, headers=HTMX)
    response = signed_in.post(path(answer), {"rating": ""}, headers=HTMX)
    assert 'aria-pressed="true"' not in response.content.decode()
    assert not Feedback.objects.exists()
    assert signed_in.post(path(answer), {"rating": ""}, headers=HTMX).status_code == 200


def test_a_word_goes_with_the_thumb(signed_in: Client, answer: Message) -> None:
    signed_in.post(path(answer), {"rating": "down", "comment": "Too <long>\r\nand wrong"}, headers=HTMX)
    assert Feedback.objects.get().comment == "Too <long>\nand wrong"
    page = signed_in.get(answer.conversation.get_absolute_url()).content.decode()
    assert "Too &lt;long&gt;" in page


def test_without_htmx_the_answer_is_the_page_at_the_message(signed_in: Client, answer: Message) -> None:
    response = signed_in.post(path(answer), {"rating": "up"})
    assert (response.status_code, response["Location"]) == (
        302,
        f"{answer.conversation.get_absolute_url()}?at={answer.pk}#m-{answer.pk}",
    )


def test_a_line_feed_of_a_comment_counts_once_though_it_is_sent_as_two(signed_in: Client, answer: Message) -> None:
    comment = "x" * 990 + "\r\n" * 10
    signed_in.post(path(answer), {"rating": "down", "comment": f"{comment}."[1:]}, headers=HTMX)
    assert len(Feedback.objects.get().comment) == 1_000


@pytest.mark.parametrize(
    "data", [{"rating": "sideways"}, {"rating": "up", "comment": "x" * 1_001}, {"rating": "up", "comment": "a\0b"}]
)
def test_what_is_no_feedback_is_refused_with_a_sentence(
    signed_in: Client, answer: Message, data: dict[str, str]
) -> None:
    response = signed_in.post(path(answer), data, headers=HTMX)
    assert response.status_code == 422
    assert "<p>" in response.content.decode()
    assert not Feedback.objects.exists()


def test_a_strangers_an_unknown_and_ones_own_message_are_not_found(
    signed_in: Client, other_client: Client, answer: Message
) -> None:
    assert other_client.post(path(answer), {"rating": "up"}).status_code == 404
    assert signed_in.post(f"/messages/{uuid4()}/feedback/", {"rating": "up"}).status_code == 404
    assert answer.parent
    assert signed_in.post(path(answer.parent), {"rating": "up"}).status_code == 404
    assert not Feedback.objects.exists()


def test_somebody_who_is_not_signed_in_is_asked_to(client: Client, answer: Message) -> None:
    assert client.post(path(answer), {"rating": "up"}, headers=HTMX).status_code == 401
    assert client.get(path(answer, "markdown")).status_code == 302
    assert not Feedback.objects.exists()


def test_a_get_is_no_feedback(signed_in: Client, answer: Message) -> None:
    assert signed_in.get(path(answer)).status_code == 405


def test_feedback_goes_with_its_conversation(answer: Message) -> None:
    feedback.rate(answer, rating="up")
    Message.objects.filter(pk=answer.pk).delete()
    assert not Feedback.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_feedback_for_an_answer_that_was_deleted_meanwhile_says_so(answer: Message) -> None:
    Message.objects.all().delete()
    with pytest.raises(ConversationGone):
        feedback.rate(answer, rating="up")
    Conversation.objects.all().delete()
    for verb in (lambda: feedback.rate(answer, rating="up"), lambda: feedback.take_back(answer)):
        with pytest.raises(ConversationGone):
            verb()


def test_the_database_refuses_another_rating(answer: Message) -> None:
    with pytest.raises(IntegrityError, match="feedback_rating_is_known"), transaction.atomic():
        Feedback.objects.create(message=answer, user=answer.user, rating="meh")


def test_staff_find_feedback_and_read_it_beside_the_answer(answer: Message) -> None:
    feedback.rate(answer, rating="down", comment="Wrong river")
    staff = Client()
    staff.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    listed = "/admin/conversations/feedback/"
    transcript = f"/admin/conversations/conversation/{answer.conversation_id}/change/"
    assert f"{listed}{answer.pk}/change/" in staff.get(listed, {"rating": "down"}).content.decode()
    assert f"{listed}{answer.pk}/change/" not in staff.get(listed, {"rating": "up"}).content.decode()
    assert transcript in staff.get(f"{listed}{answer.pk}/change/").content.decode()
    assert "Wrong river" in staff.get(transcript).content.decode()


@pytest.mark.parametrize("prefix", ["/", "/chat/"])
def test_the_thumbs_of_an_answer_are_those_of_the_whole_template(answer: Message, prefix: str) -> None:
    with override_script_prefix(prefix):
        whole = render_to_string("conversations/messages/_feedback.html", {"message": answer})
        assert str(thumbs(answer.pk)) == whole
        assert f'formaction="{prefix}messages/{answer.pk}/feedback/"' in whole


# --- Markdown ---------------------------------------------------------------------------------------------------------


def test_a_messages_markdown_is_what_was_written(signed_in: Client, answer: Message) -> None:
    response = signed_in.get(path(answer, "markdown"))
    assert response["Content-Type"] == "text/markdown; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response["Cache-Control"]
    assert response.content.decode() == "It is **Paris**.\n\n- <really>\n"
    assert answer.parent
    assert signed_in.get(path(answer.parent, "markdown")).content.decode() == "Capital of France?"


def test_anothers_markdown_is_not_found(other_client: Client, answer: Message) -> None:
    assert other_client.get(path(answer, "markdown")).status_code == 404
    assert other_client.get(f"/messages/{uuid4()}/markdown/").status_code == 404
