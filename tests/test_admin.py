"""Conversations in the admin."""

import pytest
from django.test import Client

from accounts.models import User
from conversations.models import Conversation, Generation, Message
from tests.factories import PASSWORD, ConversationFactory, UserFactory, exchange

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    """A client in which an administrator has signed in."""
    client = Client()
    user = UserFactory.create(is_staff=True, is_superuser=True)
    client.force_login(user)
    return client


@pytest.fixture
def answer() -> Message:
    return exchange(ConversationFactory.create(title="Capitals"), "Capital of France?", "It is Paris.")


@pytest.mark.parametrize("model", ["conversation", "message", "generation"])
def test_rows_are_listed_searched_and_opened(staff: Client, answer: Message, model: str) -> None:
    key = answer.conversation_id if model == "conversation" else answer.pk
    path = f"/admin/conversations/{model}/"
    assert str(key) in staff.get(path).content.decode()
    assert str(key) in staff.get(path, {"q": answer.user.email}).content.decode()
    assert str(key) not in staff.get(path, {"q": "nothing has this text"}).content.decode()
    assert staff.get(f"{path}{key}/change/").status_code == 200


def test_a_conversation_leads_to_what_was_said(staff: Client, answer: Message) -> None:
    html = staff.get(f"/admin/conversations/conversation/{answer.conversation_id}/change/").content.decode()
    address = f"/admin/conversations/message/?conversation__id__exact={answer.conversation_id}"
    assert address in html
    listed = staff.get(address).content.decode()
    assert "It is Paris." in listed
    assert "Capital of France?" in listed


def test_a_generation_shows_what_the_model_thought(staff: Client, answer: Message) -> None:
    Generation.objects.filter(pk=answer.pk).update(thought="France has one capital.", thought_seconds=4.25)
    html = staff.get(f"/admin/conversations/generation/{answer.pk}/change/").content.decode()
    assert "France has one capital." in html
    assert "4.25" in html


def test_a_list_costs_the_same_queries_however_long(
    staff: Client, answer: Message, django_assert_max_num_queries: object
) -> None:
    for number in range(30):
        exchange(answer.conversation, f"Question {number}", f"Answer {number}")
    for model in ("conversation", "message", "generation"):
        with django_assert_max_num_queries(9):  # type: ignore[operator]
            staff.get(f"/admin/conversations/{model}/")


@pytest.mark.parametrize("model", ["conversation", "message", "generation"])
def test_nobody_adds_or_changes_what_was_said(staff: Client, answer: Message, model: str) -> None:
    key = answer.conversation_id if model == "conversation" else answer.pk
    assert staff.get(f"/admin/conversations/{model}/add/").status_code == 403
    assert staff.post(f"/admin/conversations/{model}/{key}/change/", {"title": "x", "content": "x"}).status_code == 403
    answer.refresh_from_db()
    assert answer.content == "It is Paris."


def test_a_conversation_can_be_deleted_with_all_of_it(staff: Client, answer: Message) -> None:
    path = f"/admin/conversations/conversation/{answer.conversation_id}/delete/"
    assert staff.get(path).status_code == 200
    assert staff.post(path, {"post": "yes"}).status_code == 302
    assert not Conversation.objects.exists()
    assert not Message.objects.exists()


def test_a_message_alone_cannot_be_deleted(staff: Client, answer: Message) -> None:
    assert staff.post(f"/admin/conversations/message/{answer.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Message.objects.count() == 2


def test_people_are_made_by_email(staff: Client) -> None:
    data = {"email": "New@Example.org", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    response = staff.post("/admin/accounts/user/add/", data)
    assert response.status_code == 302
    assert User.objects.get(email__iexact="new@example.org").check_password(PASSWORD)
    assert staff.get("/admin/accounts/user/").status_code == 200


def test_others_do_not_get_in(signed_in: Client, client: Client, answer: Message) -> None:
    for who in (signed_in, client):
        response = who.get("/admin/conversations/conversation/")
        assert response.status_code == 302
        assert "/login/" in response["Location"]


def test_the_admin_is_entered_by_the_sites_own_limited_sign_in(client: Client) -> None:
    response = client.get("/admin/login/", follow=True)
    assert response.redirect_chain[-1][0].startswith("/accounts/login/")
